param([string]$Share)
Write-Output $Share
