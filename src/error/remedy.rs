//! What helps against an error, where the words depend on who runs the library.

use std::path::PathBuf;

use crate::model::domain_name::DomainName;

/// What smb2 needs of a domain controller, where it is advised instead of libsmbclient: whoever got there because of encryption must
/// not be sent back without a word.
pub(crate) const FOR_SMB2: &str = "if the domain controller requires encryption, it has to accept AES-128-GCM or AES-128-CCM for that";

/// What helps against an error. The command names its options and commands for it; a program that uses the library has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The placeholders of a template need values.
    DefinePlaceholders,
    /// The source has to be changed, or the table must not be exclusive: no row can map what was found.
    ChangeSourceOrNotExclusive,
    /// What this operation left behind has to be removed first.
    CleanUpOperation(String),
    /// The rest can be rolled back by nobody, because others have changed it since; their changes can be kept.
    KeepChangesOfOthers,
    /// This operation has to be rolled back first.
    RollBackOperation(String),
    /// An operation can be neither undone nor cleaned up without its journal; the backup in it may be left.
    WithoutJournal {
        /// The folder of the journal.
        journal: PathBuf,
        /// The backup of the GPO as it was.
        backup: Option<PathBuf>,
    },
    /// The operations can be listed.
    ListOperations,
    /// The backup that was made before the operation can be restored.
    RestoreSafetyBackup,
    /// The partial backup can be accepted, or made again with more rights.
    AllowPartial,
    /// The damaged backup can be accepted after a look at each file.
    AcceptDamaged,
    /// The passwords can be taken out of the source, or written on purpose.
    AllowPasswords,
    /// A file of a WMI filter can be exported.
    ExportWmiFilter,
    /// The WMI filter can have another name, or replace the existing one.
    RenameOrReplaceWmiFilter,
    /// The undo of the operation with this ID has to be planned again.
    PlanUndoAgain(String),
    /// The GPO can be imported without the link to its WMI filter, and linked afterwards.
    LinkWmiFilterAfterwards,
    /// An import, unlike a restore, maps what another domain does not know.
    ImportInstead,
    /// The status can be set, in the backup or in the domain.
    SetStatusOfSource,
    /// The status has to be set before this operation.
    SetStatusFirst,
    /// The existing link can be changed.
    ChangeLink,
    /// The links of this domain, OU or site can be listed.
    ListLinksOf(String, DomainName),
    /// All links can be listed: only domains, OUs and sites have any.
    ListAllLinks,
    /// The GPOs of this domain can be listed.
    ListGpos(DomainName),
    /// The plan has to be applied in its own domain.
    ConnectToDomainOfPlan,
    /// One backup has to be named by its own folder; those of a folder can be listed.
    NameBackup,
    /// One backup has to be named by its own folder, or the folder of backups to be given too.
    NameBackupOrFolder,
    /// The folder that was given to a backup has to be named.
    NameFolderOfBackups,
    /// This is a folder of backups, and has to be given as such.
    GiveAsFolderOfBackups(PathBuf),
    /// The backups in this folder can be listed.
    ListBackups(PathBuf),
    /// Another backup can be used; verifying this one reports what else is damaged.
    VerifyBackup,
    /// The name of the controller and of its domain have to be checked.
    CheckControllerAndDomain,
    /// The domain, the controller and its address have to be checked.
    CheckDomainControllerAndAddress,
    /// A controller outside its domain has to be named.
    NameController,
    /// A controller or a DNS server of the domain has to be named.
    NameControllerOrNameserver,
    /// The name needs an address, or a DNS server of the domain.
    GiveAddressOrNameserver,
    /// The address and the network have to be checked, or the time-out to be raised.
    CheckNetworkOrRaiseTimeout,
    /// The user has to be given in one of the forms with a domain, or with the domain beside it.
    GiveUserWithDomain,
    /// The user has to be given with the realm, or the domain beside it.
    GiveUserWithRealm,
    /// The authority of the domain has to be given.
    GiveAuthority,
    /// The authority has to be in PEM form.
    GiveAuthorityAsPem,
    /// SMB has to go through smb2, unless the server requires encryption with other ciphers.
    UseSmb2,
    /// SMB has to go through smb2, or libsmbclient has to be compiled in.
    UseSmb2OrBuildWithLibsmbclient,
    /// This helps, or SMB through smb2, unless the server requires encryption with other ciphers.
    OrUseSmb2(String),
    /// Tickets have to be used for both domains, or SMB to go through smb2.
    UseTicketsOrSmb2,
    /// The controller needs SMB 3, or an older dialect has to be accepted.
    AcceptOlderDialect,
    /// The accounts need AES, or RC4 has to be accepted.
    EnableAesOrAllowRc4,
    /// The authority has to be given, or the SHA-256 of a self-signed certificate.
    GiveAuthorityOrPin,
    /// The controller has to be named as its certificate does.
    GiveNameOfCertificate,
    /// The SHA-256 of the certificate of this controller has to be given.
    GivePinOf(String),
    /// SMB has to go through libsmbclient, or the server has to accept a cipher of smb2.
    UseLibsmbclient,
}
