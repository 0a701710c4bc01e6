@echo off
net time \\dc1.src.test
