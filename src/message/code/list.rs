//! The list of the codes, in the order of the names.

use super::super::Severity;

codes! {
    AddedFile "added-file" [Error]
        "a file was added to the backup after it was written",
        "find out who added it, then remove it or back up the GPO again";
    AmbiguousRows "ambiguous-rows" [Error]
        "several rows of the migration table match one reference",
        "give these rows the same destination, or remove all but one";
    BadName "bad-name" [Error]
        "the new name contains characters that cannot be written at this place",
        "choose another destination, or change the setting by hand";
    BadPath "bad-path" [Error]
        "the new path could not be read as one path at this place, so the old one is kept",
        "choose a destination without spaces, commas, semicolons or quotes, or change the setting by hand";
    BadSid "bad-sid" [Warning]
        "text at a place for a SID is not a SID; it is kept unchanged and not mapped",
        "correct the setting in the source GPO, or check it by hand";
    BadUncPath "bad-unc-path" [Error]
        "a row of type UNCPath has a source or destination that is not a UNC path",
        "write \\\\server\\share, or correct the type of the row";
    BareSource "bare-source" [Warning]
        "the source of a row has no domain, so the row matches nothing",
        "write name@domain or DOMAIN\\name; bare names and SIDs need the type Unknown";
    BrokenFile "broken-file" [Warning, Error]
        "a file with settings cannot be read, so clients do not apply its settings, or editors do not show it",
        "restore the GPO from a backup, or save the settings again in an editor";
    BrokenGplink "broken-gplink" [Warning]
        "gPLink of a domain, OU or site cannot be read",
        "repair the links of this object";
    CannotRemove "cannot-remove" [Error]
        "the table removes a reference that cannot be removed at this place",
        "map it to a destination, or change the setting by hand";
    ChangedAgain "changed-again" [Warning]
        "an object has changed again since it was written",
        "find out who else changes it, and check the result";
    ChangedFile "changed-file" [Error]
        "a file of the backup has changed since the backup was written",
        "use another backup, or back up the GPO again";
    ChangedWhileReading "changed-while-reading" [Warning]
        "the GPO was changed while it was being read, so its files may belong to two versions",
        "run the command again when nobody edits the GPO";
    ClientVariable "client-variable" [Info]
        "a name contains a variable that each client completes, so no domain can be asked whether it exists",
        "make sure that the principals exist for the clients of the target domain";
    CollidingSections "colliding-sections" [Error]
        "after mapping, two sections or groups would have the same name, so nothing there was changed",
        "map the sources to different destinations, or change the setting by hand";
    ControlCharacter "control-character" [Error]
        "the migration table contains a control character",
        "remove the character from the file";
    CounterpartInPermissions "counterpart-in-permissions" [Info]
        "a well-known account in the permissions becomes that of the target domain",
        "add a row if another account is intended";
    CutOff "cut-off" [Error]
        "the migration table ends inside an element",
        "the file is incomplete; get it again";
    DanglingLink "dangling-link" [Warning]
        "a container is linked to a GPO that does not exist",
        "remove the link, or restore the GPO";
    DenialRemoved "denial-removed" [Warning]
        "undo puts permissions back on files that do not deny what the permissions of the GPO deny",
        "run gpoctl check --fix if the files should have the permissions of the GPO";
    DenyAfterAllow "deny-after-allow" [Warning]
        "the permissions of the GPO deny after they allow, and Samba 4.25 refuses that order on files, so they are not set on SYSVOL",
        "remove the entries that deny with samba-tool dsacl delete, add them with samba-tool dsacl set, which puts them first, then run gpoctl check --fix; an inherited entry has to be removed where it is inherited from";
    DescriptorDiffers "descriptor-differs" [Warning]
        "permissions on SYSVOL do not match those of the GPO",
        "run gpoctl check --fix";
    DescriptorUnreadable "descriptor-unreadable" [Error]
        "a security descriptor cannot be read or used",
        "check the permissions of the object or file with an account that may read them";
    DescriptorsNotRead "descriptors-not-read" [Info, Warning]
        "the SMB client cannot read security descriptors, so those of SYSVOL were not checked",
        "use --smb-client smb2; if the domain controller requires encryption, it has to accept AES-128-GCM or AES-128-CCM for that";
    DescriptorsNotSet "descriptors-not-set" [Warning]
        "the SMB client cannot set permissions, so new files on SYSVOL inherit theirs",
        "run gpoctl check --fix with --smb-client smb2 as a domain administrator";
    DestinationAmbiguous "destination-ambiguous" [Error]
        "the destination of a row matches several principals of the target domain",
        "write the intended one as DOMAIN\\name";
    DestinationForeignSid "destination-foreign-sid" [Warning]
        "the SID in a destination is in a domain that the target does not know, so it is written unchecked",
        "check that the SID is the intended one";
    DestinationNotFound "destination-not-found" [Error]
        "the destination of a row does not exist in the target domain",
        "create the principal, or correct the row";
    DestinationOtherDomain "destination-other-domain" [Error]
        "the destination of a row is in a domain that the target does not know",
        "name a principal of the target domain, or use the SID of the intended one";
    DestinationText "destination-text" [Warning]
        "the destination of a row does not exist and is written as text",
        "create the principal, or correct the row; clients that cannot resolve the text ignore the setting";
    DestinationType "destination-type" [Warning]
        "the principal at the destination is of another type than the row or the source",
        "check that it is the intended one, and correct the type";
    DifferentGpo "different-gpo" [Warning]
        "bkupInfo.xml and Backup.xml name different GPOs",
        "check where the backup comes from; Backup.xml is used";
    DirectoryObjectLeftOut "directory-object-left-out" [Warning]
        "a directory object of the backup belongs to its own domain and is not imported",
        "recreate the setting in the target";
    DuplicateDestination "duplicate-destination" [Error]
        "a row of the migration table has two destinations",
        "keep one of them";
    DuplicateElement "duplicate-element" [Error]
        "a row of the migration table contains an element twice",
        "keep one of them";
    DuplicateMember "duplicate-member" [Warning]
        "after mapping, a list would contain a principal twice",
        "check that both sources should become the same principal";
    DuplicateSource "duplicate-source" [Error]
        "two rows of the migration table have the same source",
        "keep one of them";
    DuplicateValue "duplicate-value" [Warning]
        "after mapping, two lines or records set the same item",
        "check which of them should take effect, and remove the other";
    Empty "empty" [Info]
        "both versions of the GPO are 0, so clients skip it",
        "no action is needed if the GPO is meant to be empty";
    EmptyDacl "empty-dacl" [Warning]
        "the last entry of a security descriptor was removed, so it no longer grants anything",
        "map the reference to a destination instead, or change the setting by hand";
    EmptyDestination "empty-destination" [Error]
        "a destination in the migration table is empty",
        "write DestinationNone or DestinationSameAsSource";
    EmptyFolder "empty-folder" [Warning]
        "the folder of a backup is empty",
        "remove it, and back up the GPO again";
    EmptyList "empty-list" [Warning]
        "the last principal of a list was removed",
        "check what the empty list means for clients";
    EmptySource "empty-source" [Error]
        "a source in the migration table is empty",
        "write a source, or remove the row";
    Encoding "encoding" [Warning]
        "the migration table declares another encoding than it has",
        "save the file in the declared encoding, or correct the declaration";
    EncodingChanged "encoding-changed" [Info]
        "a file gets another encoding, because the old one lacks a character of the new text",
        "no action is needed";
    EntryLeftOut "entry-left-out" [Warning]
        "a folder that replication set aside was not read",
        "compare it with the folder of the GPO, then remove it";
    EntryRefused "entry-refused" [Warning]
        "the server returned a name on SYSVOL that is not safe to use, so it was not read",
        "find out who created the file or folder, and rename or remove it";
    ExtensionListUnsorted "extension-list-unsorted" [Warning]
        "the list of extensions in the backup is not sorted; it is written as it is",
        "run gpoctl check --fix on the GPO afterwards";
    ExtensionMissing "extension-missing" [Warning]
        "the list of extensions lacks one that the GPO has settings for, so clients do not process them",
        "run gpoctl check --fix";
    ExtensionWithoutSettings "extension-without-settings" [Info]
        "the list of extensions contains one that the GPO has no settings for",
        "no action is needed; editors leave such entries behind";
    ExtensionsBroken "extensions-broken" [Error]
        "the list of extensions cannot be read, so clients ignore what follows the error",
        "import the GPO again";
    ExtensionsCase "extensions-case" [Warning]
        "the list of extensions is in lower case, and sssd compares case-sensitively",
        "run gpoctl check --fix";
    ExtensionsOrder "extensions-order" [Warning]
        "the list of extensions is not sorted, so clients may not see all of it",
        "run gpoctl check --fix";
    FolderGrantsMore "folder-grants-more" [Warning]
        "a file or folder of the GPO on SYSVOL grants rights that the GPO does not grant",
        "check the permissions with gpoctl check before and after the operation";
    FolderWithoutGpo "folder-without-gpo" [Warning]
        "SYSVOL contains a folder for which the directory contains no GPO",
        "wait for replication; then remove the folder, or restore the GPO from a backup";
    ForeignFilesKept "foreign-files-kept" [Warning]
        "the folder of a deleted GPO contains files that are not those of the GPO, so they were kept",
        "save what is needed, then remove the folder by hand";
    ForeignPrincipal "foreign-principal" [Warning]
        "a principal of the source domain is left in the permissions and does not exist in the target",
        "add a row for it to the migration table";
    ForeignSidLeft "foreign-sid-left" [Warning]
        "a SID of a third domain is left unchanged and does not exist in the target",
        "add a row for it to the migration table";
    FunctionalityVersion "functionality-version" [Warning, Error]
        "gPCFunctionalityVersion is not 2, so clients skip the GPO",
        "run gpoctl check --fix, which sets it to 2";
    GpoDeletedSince "gpo-deleted-since" [Info]
        "a GPO that the operation changed was deleted since, so nothing of it is put back",
        "no action is needed";
    GptIni "gpt-ini" [Info, Error]
        "GPT.INI is missing or cannot be read; in a backup, it is a file that is not read",
        "on a GPO, run gpoctl check --fix; in a backup, no action is needed";
    GptIniReplaced "gpt-ini-replaced" [Warning]
        "GPT.INI of the target cannot be read, so it is replaced",
        "no action is needed";
    HalfDisabled "half-disabled" []
        "the computer or user settings of the GPO are disabled",
        "enable them with gpoctl set-status";
    InheritanceBlocked "inheritance-blocked" []
        "a container between the link and the account blocks inheritance",
        "enforce the link, or stop blocking inheritance";
    LeftOver "left-over" [Warning]
        "the operation succeeded, but old files on SYSVOL could not be removed",
        "run gpoctl operations cleanup";
    LeftoverPlaceholder "leftover-placeholder" [Warning, Error]
        "a destination contains a placeholder of a template",
        "fill the template with gpoctl migtable fill";
    LeftoverStaging "leftover-staging" [Warning]
        "files of an operation or a backup that did not finish are still there",
        "run gpoctl operations list, then undo or clean up; remove those of a backup by hand";
    LinkDisabled "link-disabled" []
        "the link of the GPO is disabled",
        "enable the link";
    LinkInForce "link-in-force" [Warning]
        "a link to the deleted GPO still exists, so the restored GPO applies there again",
        "remove the link first if that is not intended";
    LinkTargetGone "link-target-gone" [Warning]
        "the GPO was linked to a container that no longer exists",
        "link it to another container";
    LinkToForeignDomain "link-to-foreign-domain" [Error]
        "a container is linked to a GPO of a domain outside the forest",
        "find out who wrote the link, and remove it";
    LinkToNoGpo "link-to-no-gpo" [Warning]
        "a container is linked to something that is not a GPO",
        "find out who wrote the link, and remove it";
    LinkToOtherDomain "link-to-other-domain" [Info]
        "a container is linked to a GPO of another domain of the forest, which was not checked",
        "run gpoctl check --all for that domain";
    LinkToServer "link-to-server" [Error]
        "a link names a server, so clients that follow it take their policy from there",
        "find out who wrote the link, and remove it";
    LinksKept "links-kept" [Warning]
        "links to the deleted GPO remain",
        "remove them with gpoctl link remove";
    LinksNotPutBack "links-not-put-back" [Warning]
        "an operation removed a link to a GPO or WMI filter of another domain, and undo does not put it back",
        "set it by hand if it is wanted";
    LinksNotRestored "links-not-restored" [Info]
        "the backup contains the links of the deleted GPO, which are not restored",
        "use --with-links, or link the GPO afterwards";
    ListedTwice "listed-twice" [Warning]
        "manifest.xml lists a backup several times",
        "back up into the folder again, which brings manifest.xml up to date";
    LocalizedName "localized-name" [Info]
        "a well-known principal has the name of a localized version of Windows, which only machines in that language understand",
        "write the SID or the English name";
    LocksYouOut "locks-you-out" [Warning]
        "with the new permissions this account can no longer change or read the GPO",
        "make sure that you have an account that can";
    MalformedBackupXml "malformed-backup-xml" [Warning]
        "a part of Backup.xml cannot be read",
        "check what is missing with gpoctl show, or use another backup";
    MalformedBkupinfo "malformed-bkupinfo" [Warning, Error]
        "bkupInfo.xml, or a field of it, cannot be read",
        "use another backup if the GPO, time or comment matters";
    MalformedManifest "malformed-manifest" [Warning]
        "manifest.xml cannot be read",
        "repair or replace the manifest; the backups themselves are not affected";
    MalformedObject "malformed-object" [Warning]
        "a directory object of the GPO cannot be interpreted; it is kept unchanged",
        "check it with an LDAP editor";
    MalformedSideFile "malformed-side-file" [Warning, Error]
        "gpoctl's own file in the backup cannot be read, so links, hashes or permissions in it are not known",
        "use another backup, or back up the GPO again";
    MalformedWmiFilter "malformed-wmi-filter" [Warning]
        "the link to a WMI filter in the backup cannot be read",
        "link the filter again after restoring";
    ManifestDiffers "manifest-differs" [Warning]
        "the entry of a backup in manifest.xml differs from its bkupInfo.xml",
        "back up into the folder again, which brings manifest.xml up to date";
    ManifestWithoutBackup "manifest-without-backup" [Warning, Error]
        "manifest.xml lists a backup whose folder does not exist",
        "find the folder, or back up into the folder again, which brings manifest.xml up to date";
    MappingWrongKind "mapping-wrong-kind" [Error]
        "a row maps a principal to a path, or a path to a principal",
        "correct the row";
    MissingDestination "missing-destination" [Error]
        "a row of the migration table has no destination",
        "add one of the four destination elements";
    MissingFile "missing-file" [Warning, Error]
        "a file that Backup.xml or the hashes list is not in the backup",
        "use another backup, or back up the GPO again";
    MissingSource "missing-source" [Error]
        "a row of the migration table has no source",
        "add the element Source";
    MissingType "missing-type" [Error]
        "a row of the migration table has no type",
        "add the element Type";
    MixedPermissions "mixed-permissions" [Warning]
        "the permissions of some files are those of another version of Samba than those of the default GPOs, or of the folder of the GPO",
        "run gpoctl check --all --fix, which tries which ones the server accepts";
    MoreFindings "more-findings" [Info, Warning, Error]
        "a file or a GPO has more findings than are listed; the severity is that of the worst of the others",
        "repair what is listed, then run the command again";
    NameSidMismatch "name-sid-mismatch" [Warning]
        "the name and the SID beside it do not belong to the same principal",
        "correct the setting in the source GPO";
    NeedsSid "needs-sid" [Error]
        "the place can contain only a SID, and the destination has none",
        "name a principal of the target domain";
    NoBackupXml "no-backup-xml" [Error]
        "the backup has no Backup.xml, so nothing can be imported from it",
        "use another backup";
    NoBkupinfo "no-bkupinfo" [Warning]
        "the backup has no readable bkupInfo.xml, so its GPO, time and comment are not known",
        "use another backup if they matter";
    NoFlags "no-flags" [Warning]
        "flags is absent, so Windows treats the GPO as enabled and sssd denies every logon",
        "set flags to 0";
    NoGptIni "no-gpt-ini" []
        "GPT.INI is missing or cannot be read, so clients stop processing policy",
        "run gpoctl check --fix";
    NoLinksSaved "no-links-saved" [Warning]
        "the backup does not contain the links of the GPO",
        "link the GPO by hand";
    NoManifest "no-manifest" [Warning]
        "the folder of backups has no manifest.xml, so GPMC lists nothing",
        "back up into the folder again, which brings manifest.xml up to date";
    NoName "no-name" [Warning]
        "displayName is absent",
        "set it with gpoctl rename";
    NoPermissions "no-permissions" [Warning]
        "the backup contains no permissions, so they are left unchanged or are the default ones",
        "check the permissions of the restored GPO";
    NoReadForComputers "no-read-for-computers" [Warning]
        "computers may not read the GPO, so its user settings are not applied (MS16-072)",
        "grant Read to Domain Computers or Authenticated Users, unless that is meant";
    NoRow "no-row" [Warning]
        "a reference cannot be written as a row of a migration table",
        "change the GPO by hand";
    NoSysvolFolder "no-sysvol-folder" [Warning, Error]
        "the GPO has no folder on SYSVOL",
        "restore it from a backup, or delete the GPO";
    NotAFile "not-a-file" [Warning, Error]
        "an entry of the backup is not a plain file or folder; it is not read",
        "remove it, or use another backup";
    NotAGpo "not-a-gpo" [Info]
        "a folder in Policies on SYSVOL has the name of a GPO and is none",
        "find out whose it is before you remove it";
    NotAMigrationTable "not-a-migration-table" [Error]
        "the file is not a GPMC migration table",
        "choose another file";
    NotChanged "not-changed" [Error]
        "an object of a plan that is applied object by object was not changed",
        "remove the cause, and make a plan for this object";
    NotEncodable "not-encodable" [Error]
        "the new text cannot be written in the encoding of the file, so the file was not changed",
        "choose another destination, or change the setting by hand";
    NotInManifest "not-in-manifest" [Warning]
        "manifest.xml does not list a backup, so GPMC does not show it",
        "back up into the folder again, which brings manifest.xml up to date";
    NotLinked "not-linked" []
        "the GPO is not linked to any container above the account",
        "link the GPO to one of them";
    NotPermitted "not-permitted" [Warning]
        "the account may not make a repair, so it is left out",
        "run gpoctl check --fix as an account that may, such as a domain administrator";
    NotRead "not-read" [Warning]
        "a GPO or backup was left out, because it cannot be read",
        "run the command again when it can be read";
    NotReadable "not-readable" []
        "the computer may not read the GPO",
        "grant Read to Domain Computers or Authenticated Users";
    NotVerifiable "not-verifiable" [Warning]
        "the backup has no hashes, so changes to its files cannot be detected",
        "use it only if no other user could write to its folder";
    NotXml "not-xml" [Error]
        "the migration table is not well-formed XML",
        "correct the line";
    ObjectEntriesRefused "object-entries-refused" [Info, Warning]
        "this version of Samba refuses object entries in the permissions of files",
        "run gpoctl check --all --fix";
    OddPolicyFolder "odd-policy-folder" [Warning]
        "SYSVOL contains a policy folder that does not belong to any GPO",
        "compare it with the folder of the GPO, then remove it by hand";
    OperationSuperseded "operation-superseded" [Info]
        "an interrupted operation was closed without a roll-back, because others have changed the same since",
        "review the GPO; the operation's journal has a backup of it as it was before";
    OtherGpo "other-gpo" [Info]
        "a link refers to a GPO that does not exist in this domain",
        "check the other domain, or remove the link";
    OtherGpoFolder "other-gpo-folder" [Warning]
        "a path into the folder of another GPO of the source domain is left unchanged",
        "add a row for it to the migration table";
    OutOfScope "out-of-scope" [Info]
        "a reference at a place that GPMC does not map is left unchanged",
        "leave out --scope gpmc to map it";
    OwnFolderFileMissing "own-folder-file-missing" [Warning]
        "a path in the GPO's own folder is mapped, but the file does not exist in the GPO",
        "copy the file there afterwards";
    OwnFolderFollowed "own-folder-followed" [Info]
        "a path in the GPO's own folder now refers to the folder of the target",
        "no action is needed";
    OwnFolderLeft "own-folder-left" [Warning]
        "a path into the GPO's folder in the source domain is left unchanged",
        "add a row for it to the migration table";
    OwnerNotRestored "owner-not-restored" [Warning]
        "this account may not restore the owner of the GPO",
        "set the owner as a domain administrator";
    OwnerRemoved "owner-removed" [Warning]
        "the owner or group of a security descriptor in the settings was removed",
        "map the reference to a destination instead";
    OwnersNotSet "owners-not-set" [Warning]
        "the account may not set owners on SYSVOL, so it owns the new files",
        "run gpoctl check --fix as a domain administrator";
    PackagesMadeAnew "packages-made-anew" [Warning]
        "software packages are recreated with new identities",
        "expect that clients may install them again";
    PartialBackup "partial-backup" [Warning]
        "the backup is partial, because something could not be read",
        "back up the GPO again with an account that may read all of it";
    PartialSafetyBackup "partial-safety-backup" [Warning]
        "the backup of the GPO as it was before the operation is partial",
        "know that undo cannot restore what was not read";
    PermissionsDiffer "permissions-differ" [Warning]
        "the permissions of the GPO, read back, differ from those of the plan",
        "compare them with gpoctl show";
    PermissionsNotLast "permissions-not-last" [Warning]
        "the final permissions could not all be set, so this account keeps some of its rights",
        "set them in GPMC or with samba-tool";
    PermissionsNotPutBack "permissions-not-put-back" [Warning]
        "a repair removes from a file what does not follow from the permissions of the GPO, or what the server does not store, and undo does not put it back",
        "set it by hand if it is wanted";
    RecordRemoved "record-removed" [Warning]
        "a registry setting contained only a removed reference, so it was removed",
        "map the reference to a destination if the setting is needed";
    RelativeNameUnknown "relative-name-unknown" [Warning, Error]
        "a row asks for the relative name of a principal whose name is not known",
        "name the destination in the row";
    RolledBack "rolled-back" [Info]
        "an unfinished operation was rolled back",
        "no action is needed";
    SameName "same-name" [Info, Warning]
        "several GPOs or files have the same name",
        "refer to GPOs by GUID; in a backup, check which file is meant";
    SecurityFiltering "security-filtering" []
        "the account may not apply the GPO",
        "grant it Apply Group Policy if the GPO is meant for it";
    SettingRemoved "setting-removed" [Warning]
        "a security setting contained only a removed reference, so it was removed",
        "map the reference to a destination if the setting is needed";
    SidRow "sid-row" [Info]
        "a GPO contains only the SID of a principal that has a row by name, so the SID gets its own row",
        "give both rows the same destination";
    SiteUnknown "site-unknown" [Info]
        "the site of the account is not known, so links to sites were ignored",
        "check the links of the sites by hand";
    SourceNameLeft "source-name-left" [Warning]
        "a name of the source domain is left unchanged and does not exist in the target",
        "add a row for it to the migration table";
    SourceSidLeft "source-sid-left" [Warning]
        "a SID of the source domain is left unchanged and does not exist in the target",
        "add a row for it to the migration table";
    SourceStays "source-stays" [Warning]
        "the row leaves its source unchanged, which does not exist in the target",
        "give the row a destination";
    StoredPassword "stored-password" [Warning, Error]
        "a password is stored in Preferences under a public key (MS14-025)",
        "remove it, and give the account another password";
    TargetsLdap "targets-ldap" [Info]
        "an item is targeted by an LDAP query",
        "check that the query returns the same objects in the target domain";
    TargetsSite "targets-site" [Info]
        "an item is targeted at a site",
        "check that the target forest has a site of this name";
    TemplateUnread "template-unread" [Warning]
        "an administrative template or its texts cannot be used, so policies are shown as registry values or with other names",
        "correct the template, or get it again from where it came from";
    TextBetweenElements "text-between-elements" [Error]
        "the migration table contains text between its elements",
        "remove the text";
    TextInDestination "text-in-destination" [Error]
        "a destination element that should be empty contains text",
        "write the text in the element Destination, or leave the element empty";
    TooLarge "too-large" [Error]
        "the migration table has too many rows",
        "split the table";
    TooManyProblems "too-many-problems" [Error]
        "the migration table has more problems than are listed",
        "correct the listed ones, then validate again";
    TypeMismatch "type-mismatch" [Warning]
        "a reference is of another type than its row",
        "correct the type of the row";
    UncByRelativeName "unc-by-relative-name" [Error]
        "a row maps a UNC path by relative name",
        "give it a Destination, or DestinationSameAsSource";
    UncDestinationNone "unc-destination-none" [Error]
        "a row removes a UNC path, which is not possible",
        "give it a Destination, or DestinationSameAsSource";
    UncHostSilent "unc-host-silent" [Warning]
        "the server of a UNC path in the table did not answer",
        "check the name and the network";
    UncPathAsPrincipal "unc-path-as-principal" [Error]
        "a UNC path is in a row for principals",
        "give the row the type UNCPath";
    UnknownCode "unknown-code" [Info, Warning, Error]
        "a saved plan or journal contains a code that this version does not have; it is named before the text",
        "read the text, or use the version of gpoctl that wrote the file";
    UnknownElement "unknown-element" [Error]
        "the migration table contains an element that does not exist in this format",
        "remove or correct the element";
    UnknownLink "unknown-link" [Warning]
        "gPLink contains something that is not a link",
        "repair it by hand; clients may stop reading there";
    UnknownType "unknown-type" [Error]
        "the type of a row does not exist",
        "write one of the types that gpoctl help migration-tables lists";
    UnknownVariable "unknown-variable" [Warning, Error]
        "the name of a principal, computer or domain contains a variable that no client completes",
        "write the name itself or a variable of Windows or Preferences, or add a row for it";
    UnlistedFile "unlisted-file" [Warning]
        "Backup.xml does not list a file, so it is not part of the backup",
        "find out who added it, or remove it";
    UnlistedGpos "unlisted-gpos" [Warning]
        "the account may not list CN=Policies or a GPO in it, so whether there are other GPOs is not known",
        "run the command as an account that may read every GPO";
    UnmappedReference "unmapped-reference" [Info, Warning, Error]
        "a reference has no row in the migration table",
        "add a row for it";
    Unread "unread" [Warning]
        "GPT.INI of a GPO cannot be read, so it is assumed to have the version of the directory",
        "run the check with an account that may read the file";
    UnreadCondition "unread-condition" [Warning]
        "conditions in the permissions cannot be read, so principals in them are left unchanged",
        "check these permissions by hand";
    UnreadFile "unread-file" [Warning, Error]
        "a file cannot be read, so its references are not known; it is copied unchanged",
        "check it by hand";
    UnreadPath "unread-path" [Warning]
        "text looks like a UNC path in an unknown notation and is left unchanged",
        "change it by hand, or write it as \\\\server\\share";
    UnreadPermissions "unread-permissions" [Warning]
        "the permissions of a software package cannot be read, so principals in them are not known",
        "check the permissions of the package in the source domain";
    UnreadText "unread-text" [Warning]
        "text or data may contain a reference that is not mapped",
        "check the value by hand";
    UnreadableAttribute "unreadable-attribute" [Warning, Error]
        "the account may not read an attribute of the GPO, so whether it has a value is not known",
        "run the command as an account that may read the GPO";
    UnreadableBackup "unreadable-backup" [Error]
        "a backup cannot be read",
        "use another backup, or check the permissions of its folder";
    UnreadableDescriptor "unreadable-descriptor" [Warning]
        "the security descriptor of the GPO cannot be read",
        "use an account that may read it";
    UnreadableFile "unreadable-file" [Warning, Error]
        "a file or folder of the GPO cannot be read",
        "use an account that may read it";
    UnreadableGpo "unreadable-gpo" [Info, Warning]
        "the GPO exists, and the account may not read it",
        "run the command as an account that may read the GPO";
    UnreadableLinks "unreadable-links" [Warning]
        "the account may not read the links of a domain, OU or site",
        "run the command as an account that may read them";
    UnreadableObjects "unreadable-objects" [Warning, Error]
        "the objects below the GPO cannot be read, or not completely",
        "use an account that may read them";
    UnreadableWmiFilter "unreadable-wmi-filter" [Info, Warning]
        "the account may not read a WMI filter, or list those of the domain, so whether it exists is not known",
        "run the command as an account that may read the filter";
    UnsafeLocation "unsafe-location" [Warning]
        "Backup.xml lists a path that is not safe to use; it is not read",
        "find out where the backup comes from";
    UnsafeName "unsafe-name" [Warning]
        "a file of the backup has a name that is not valid on Windows; it is not read",
        "rename the file if it belongs to the backup";
    UnusedDefinition "unused-definition" [Warning]
        "a value is given for a placeholder that does not occur in the template",
        "check the name of the placeholder";
    UnusedRow "unused-row" [Warning]
        "a row of the migration table was not used",
        "check the source of the row";
    UnwrittenFile "unwritten-file" [Error]
        "a file cannot be rewritten with the new references",
        "change the setting by hand";
    VersionMismatch "version-mismatch" [Warning]
        "the versions in the directory and in GPT.INI differ",
        "wait for replication, or compare the domain controllers; gpoctl check --fix raises the lower version";
    VersionZero "version-zero" [Warning]
        "the version of one half is 0, so clients skip it although it contains settings",
        "edit or import the GPO, which raises the version";
    WellKnownUnlisted "well-known-unlisted" [Info]
        "a principal has no row and is the same in every domain",
        "no action is needed";
    WmiFilterGone "wmi-filter-gone" [Warning]
        "the WMI filter of the backup no longer exists, so the GPO is restored without it",
        "create the filter, then run gpoctl wmi link";
    WmiFilterInUse "wmi-filter-in-use" [Warning]
        "a WMI filter that is deleted is linked to GPOs, which clients then do not apply",
        "link another filter, or none, to them first: gpoctl wmi link";
    WmiFilterLeftOut "wmi-filter-left-out" [Warning]
        "the WMI filter belongs to the source domain, so the copy is created without it",
        "create the filter in the target, then run gpoctl wmi link";
    WmiFilterMissing "wmi-filter-missing" [Error]
        "the WMI filter of the GPO does not exist, so clients do not apply the GPO",
        "remove the link with gpoctl wmi link GPO --none";
    WmiLinkBroken "wmi-link-broken" [Error]
        "gPCWQLFilter is not a valid link",
        "set or remove it with gpoctl wmi link";
    WmiLinkRemoved "wmi-link-removed" [Warning]
        "without its WMI filter, the GPO applies to everything it is linked to",
        "check its links and permissions";
    WouldMatchByPrefix "would-match-by-prefix" [Info]
        "a path is left unchanged, although a row is for a folder above it",
        "use --unc-match prefix to map it";
    WrongPath "wrong-path" [Error]
        "gPCFileSysPath refers to another folder, from which clients read their policy",
        "find out who set it before anything else";
}
