//! SYSVOL over SMB: two implementations of the port [`crate::domain::sysvol`], chosen at run time, and the GPT tree.
//!
//! Below the GPO's folder, anything that is neither a regular file nor a regular folder is refused.
//!
//! # Differences between servers
//!
//! What gpoctl handles differently on Samba 4.17 (Debian 12), 4.22 (Debian 13), 4.25.1 (Debian sid) and Windows; in brackets, the test
//! that shows it. Tests of `live` run on all three versions of Samba. No Windows server was at hand: its column is the specification.
//! No server reports its version, so each difference is detected by what the server does.
//!
//! - **Object entries in the DACL of a file.** 4.17 and 4.22 store them over SMB but leave the POSIX permissions of the file as they
//!   were (seen with getfacl), so descriptors are set in two steps; `sysvolcheck` requires them. 4.25 refuses the descriptor with
//!   STATUS_ACCESS_DENIED at SET_INFO (log of smbd, level 10: `unable to set anything but an ALLOW or DENY ACE`), and its `sysvolcheck`
//!   refuses a file that has one. gpoctl tries it with a file of its own (`smb2_client::file_entries`)
//!   [`live walk::every_verb_that_writes_files_and_its_undo`, `offline upgraded`]. Before it did, every GPO that was created on 4.25
//!   ended there [`live create_rename_delete::create_rename_set_status_delete` failed].
//! - **Entries that deny.** `dsacl2fsacl` of 4.17 and 4.22 leaves them out on files, that of 4.25 keeps them (the same bytes were given
//!   to both) [unit tests of `model::security_descriptor`].
//! - **Upgraded domains.** Files that 4.17 wrote keep object entries under 4.25, where only `sysvolcheck` reports them; `check --fix`
//!   asks the server before it compares (seen with descriptors written past smbd) [`live walk::files_of_an_earlier_version`,
//!   `offline upgraded`].
//! - **Windows: children inherit.** gpoctl sets no descriptors on files, and that of the folder by what it grants; its
//!   entries may be in another order, so `check` compares access, not text [unit tests of `operations::check::findings`].
//! - **Open files.** 4.17 renames a folder with an open file below it and replaces an open file; 4.22, 4.25 and Windows [MS-FSA
//!   2.1.5.15.11] answer STATUS_ACCESS_DENIED, although `strict rename` is off in all three [`live open_files`, `offline conformance`].
//! - **smbd 4.25.1 aborts** when a folder is deleted or renamed while another smbd changes the list of open files (SIGABRT below
//!   `share_entry_forall_read`, seen with strace in five of six runs). gpoctl reports a lost connection and rolls back later; the
//!   suites use one thread on 4.25 (`samba-testenv/other-versions`).
//! - **Change of the DACL by an editor** with WRITE_DAC on somebody else's folder: 4.25 refuses it at SET_INFO, so permissions that
//!   lock the operator out stay unset and the exit status is 3; 4.17 and 4.22 allow it
//!   [`live delegated_editor::permissions_that_lock_the_operator_out_are_reported_and_set_last`].
//! - **Owner of a new directory object.** 4.25 refuses an owner other than the account in an LDAP add, even if the control selects
//!   the DACL alone (result 19, `invalid addition of owner SID`); 4.17 does not check. The owner is left out on all
//!   [`live delegated_editor`, `live walk`].
//! - **Encryption.** All three demand it in the same ways: for a session without a common cipher, STATUS_ACCESS_DENIED at SESSION_SETUP
//!   (`server smb encrypt = required`) or at TREE_CONNECT (`smb encrypt = required` of the share); otherwise with the flag of the
//!   session or the share. Windows can demand either (`Set-SmbShare -EncryptData`) and, since Server 2022, only AES-256
//!   [`live encryption`].
//!
//! - **LDAP.** `ldap server require strong auth` is `yes` on all three, and means that a bind with SASL is sealed or signed, or, since
//!   Samba 4.21 (its release notes; not tried), bound to the TLS channel. gpoctl seals Kerberos and sends it over no TLS; over TLS it
//!   uses the simple bind [`live directory::sealed_with_password_in_both_realms_at_once`, `live
//!   directory::ldaps_and_start_tls_with_the_lab_authority`].
//!
//! Looked for and equal on the three versions, each provisioned by its own `samba-tool domain provision`: the functional level (2008 R2
//! for domain and forest), the value `yes` of `ldap server require strong auth`, SMB signing and its algorithms, ciphers, the least
//! dialect (2.0.2), and what is in `Policies` after provisioning: two GPOs with `GPT.INI`, `MACHINE` and `USER`, no
//! `PolicyDefinitions`. Windows Server 2025 requires LDAP signing by default, and channel binding for TLS can be required
//! on every Windows: Kerberos without TLS, which gpoctl seals, meets the first, and the second does not apply to it, nor to a
//! simple bind over TLS. Both are from Microsoft's documentation and untested.

pub mod connect;
#[cfg(any(test, feature = "testing", feature = "libsmbclient"))]
pub(crate) mod errno;
pub mod gpt;
#[cfg(feature = "libsmbclient")]
mod libsmbclient;
pub mod probe;
pub(crate) mod refusal;
pub(crate) mod smb2_client;
pub mod throttle;
