//! Related compounds: several SMB2 requests in one message, on the handle that the first one opens [MS-SMB2 3.2.4.1.4].

use smb2::client::connection::CompoundOp;
use smb2::client::{Connection, Tree};
use smb2::msg::close::CloseRequest;
use smb2::msg::create::{
    CreateDisposition, CreateRequest, CreateResponse, ImpersonationLevel, ShareAccess,
};
use smb2::msg::create_context::{CreateContext, find, pack_contexts, parse_contexts};
use smb2::msg::query_directory::{
    QueryDirectoryFlags, QueryDirectoryRequest, QueryDirectoryResponse,
};
use smb2::msg::query_info::{InfoType, QueryInfoRequest, QueryInfoResponse};
use smb2::msg::read::{ReadRequest, ReadResponse, SMB2_CHANNEL_NONE};
use smb2::msg::set_info::SetInfoRequest;
use smb2::msg::write::WriteRequest;
use smb2::pack::{Pack, ReadCursor, Unpack};
use smb2::types::flags::FileAccessMask;
use smb2::types::status::NtStatus;
use smb2::types::{Command, CreditCharge, FileId, OplockLevel};

/// Access masks [MS-SMB2 2.2.13.1].
pub(super) mod access {
    use super::FileAccessMask as Mask;

    /// Attributes and size.
    pub(in super::super) const STAT: u32 = Mask::FILE_READ_ATTRIBUTES;
    /// The bytes of a file.
    pub(in super::super) const READ: u32 =
        Mask::FILE_READ_DATA | Mask::FILE_READ_ATTRIBUTES | Mask::SYNCHRONIZE;
    /// The entries of a folder.
    pub(in super::super) const LIST: u32 =
        Mask::FILE_READ_DATA | Mask::FILE_READ_ATTRIBUTES | Mask::SYNCHRONIZE;
    /// Writing a new file.
    pub(in super::super) const WRITE: u32 = Mask::FILE_WRITE_DATA
        | Mask::FILE_READ_ATTRIBUTES
        | Mask::FILE_WRITE_ATTRIBUTES
        | Mask::SYNCHRONIZE;
    /// Deleting and renaming.
    pub(in super::super) const DELETE: u32 = Mask::DELETE | Mask::FILE_READ_ATTRIBUTES;
    /// Changing attributes.
    pub(in super::super) const SET_ATTRIBUTES: u32 =
        Mask::FILE_WRITE_ATTRIBUTES | Mask::FILE_READ_ATTRIBUTES;
}

/// Create options [MS-SMB2 2.2.13].
pub(super) mod options {
    /// FILE_DIRECTORY_FILE
    pub(in super::super) const FOLDER: u32 = 0x0000_0001;
    /// FILE_DELETE_ON_CLOSE
    pub(in super::super) const DELETE_ON_CLOSE: u32 = 0x0000_1000;
    /// FILE_NON_DIRECTORY_FILE
    pub(in super::super) const FILE: u32 = 0x0000_0040;
    /// FILE_OPEN_REPARSE_POINT: a link is opened itself, not followed.
    pub(in super::super) const NO_REPARSE: u32 = 0x0020_0000;
}

/// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST and its response [MS-SMB2 2.2.13.2.5, 2.2.14.2.5]
const MAXIMAL_ACCESS: &[u8] = b"MxAc";
/// FileBasicInformation [MS-FSCC 2.4.7]
const FILE_BASIC_INFORMATION: u8 = 4;
/// FileRenameInformation [MS-FSCC 2.4.43]
const FILE_RENAME_INFORMATION: u8 = 10;
/// FileDispositionInformation [MS-FSCC 2.4.11]
const FILE_DISPOSITION_INFORMATION: u8 = 13;
/// OWNER, GROUP and DACL_SECURITY_INFORMATION [MS-DTYP 2.4.7]
const OWNER_GROUP_DACL: u32 = 7;
/// What one credit moves.
const CREDIT: usize = 65_536;

/// One request of a compound.
pub(super) struct Operation {
    command: Command,
    body: Box<dyn Pack>,
    credits: u16,
}

impl Operation {
    fn new(command: Command, body: impl Pack + 'static) -> Self {
        Self {
            command,
            body: Box::new(body),
            credits: 1,
        }
    }

    fn moving(mut self, bytes: usize) -> Self {
        self.credits = u16::try_from(bytes.div_ceil(CREDIT))
            .unwrap_or(u16::MAX)
            .max(1);
        self
    }

    pub(super) fn create(
        name: String,
        access: u32,
        disposition: CreateDisposition,
        options: u32,
    ) -> Self {
        Self::create_with(name, access, disposition, options, Vec::new())
    }

    /// Opens a path for its attributes only, and queries which access would be granted [MS-SMB2 2.2.13.2.5].
    pub(super) fn ask_access(name: String, options: u32) -> Self {
        Self::create_with(
            name,
            access::STAT,
            CreateDisposition::FileOpen,
            options,
            pack_contexts(&[CreateContext::new(MAXIMAL_ACCESS, Vec::new())]),
        )
    }

    fn create_with(
        name: String,
        access: u32,
        disposition: CreateDisposition,
        options: u32,
        create_contexts: Vec<u8>,
    ) -> Self {
        Self::new(
            Command::Create,
            CreateRequest {
                requested_oplock_level: OplockLevel::None,
                impersonation_level: ImpersonationLevel::Impersonation,
                desired_access: FileAccessMask::new(access),
                file_attributes: 0,
                share_access: ShareAccess(
                    ShareAccess::FILE_SHARE_READ
                        | ShareAccess::FILE_SHARE_WRITE
                        | ShareAccess::FILE_SHARE_DELETE,
                ),
                create_disposition: disposition,
                create_options: options,
                name,
                create_contexts,
            },
        )
    }

    pub(super) fn close() -> Self {
        Self::close_handle(FileId::SENTINEL)
    }

    pub(super) fn close_handle(file_id: FileId) -> Self {
        Self::new(Command::Close, CloseRequest { flags: 0, file_id })
    }

    pub(super) fn read(length: u32) -> Self {
        Self::read_handle(FileId::SENTINEL, 0, length)
    }

    pub(super) fn read_handle(file_id: FileId, offset: u64, length: u32) -> Self {
        Self::new(
            Command::Read,
            ReadRequest {
                padding: 0x50,
                flags: 0,
                length,
                offset,
                file_id,
                minimum_count: 0,
                channel: SMB2_CHANNEL_NONE,
                remaining_bytes: 0,
                read_channel_info: Vec::new(),
            },
        )
        .moving(usize::try_from(length).unwrap_or(usize::MAX))
    }

    pub(super) fn write(data: Vec<u8>) -> Self {
        Self::write_handle(FileId::SENTINEL, 0, data)
    }

    pub(super) fn write_handle(file_id: FileId, offset: u64, data: Vec<u8>) -> Self {
        let bytes = data.len();
        Self::new(
            Command::Write,
            WriteRequest {
                // The header has 64 bytes, the fixed part of the request 48.
                data_offset: 112,
                offset,
                file_id,
                channel: 0,
                remaining_bytes: 0,
                write_channel_info_offset: 0,
                write_channel_info_length: 0,
                flags: 0,
                data,
            },
        )
        .moving(bytes)
    }

    pub(super) fn query_directory(buffer: u32) -> Self {
        Self::query_directory_handle(FileId::SENTINEL, buffer)
    }

    pub(super) fn query_directory_handle(file_id: FileId, buffer: u32) -> Self {
        Self::new(
            Command::QueryDirectory,
            QueryDirectoryRequest {
                file_information_class: super::listing::CLASS,
                flags: QueryDirectoryFlags(0),
                file_index: 0,
                file_id,
                output_buffer_length: buffer,
                file_name: "*".to_owned(),
            },
        )
        .moving(usize::try_from(buffer).unwrap_or(usize::MAX))
    }

    pub(super) fn query_descriptor() -> Self {
        Self::new(
            Command::QueryInfo,
            QueryInfoRequest {
                info_type: InfoType::Security,
                file_info_class: 0,
                output_buffer_length: 65_536,
                additional_information: OWNER_GROUP_DACL,
                flags: 0,
                file_id: FileId::SENTINEL,
                input_buffer: Vec::new(),
            },
        )
    }

    pub(super) fn set_descriptor(descriptor: &[u8]) -> Self {
        Self::set_descriptor_handle(FileId::SENTINEL, descriptor)
    }

    pub(super) fn set_descriptor_handle(file_id: FileId, descriptor: &[u8]) -> Self {
        Self::new(
            Command::SetInfo,
            SetInfoRequest {
                info_type: InfoType::Security,
                file_info_class: 0,
                additional_information: parts_of(descriptor),
                file_id,
                buffer: descriptor.to_vec(),
            },
        )
    }

    pub(super) fn set_attributes(attributes: u32) -> Self {
        // Four times of 8 bytes, zero for "unchanged"; the attributes; padding.
        let mut buffer = vec![0; 40];
        if let Some(field) = buffer.get_mut(32..36) {
            field.copy_from_slice(&attributes.to_le_bytes());
        }
        Self::set_file_info(FILE_BASIC_INFORMATION, buffer)
    }

    pub(super) fn delete_on_close() -> Self {
        Self::set_file_info(FILE_DISPOSITION_INFORMATION, vec![1])
    }

    pub(super) fn rename(to: &str, replace: bool) -> Self {
        let name: Vec<u8> = to.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut buffer = vec![u8::from(replace)];
        // Seven reserved bytes, and an empty root directory: the name is below the share.
        buffer.extend_from_slice(&[0; 15]);
        buffer.extend_from_slice(&u32::try_from(name.len()).unwrap_or(0).to_le_bytes());
        buffer.extend_from_slice(&name);
        Self::set_file_info(FILE_RENAME_INFORMATION, buffer)
    }

    fn set_file_info(class: u8, buffer: Vec<u8>) -> Self {
        Self::new(
            Command::SetInfo,
            SetInfoRequest {
                info_type: InfoType::File,
                file_info_class: class,
                additional_information: 0,
                file_id: FileId::SENTINEL,
                buffer,
            },
        )
    }
}

/// Which parts a self-relative descriptor has: owner, group, DACL [MS-DTYP 2.4.6, 2.4.7].
pub(super) fn parts_of(descriptor: &[u8]) -> u32 {
    let offset_at = |at: usize| {
        descriptor
            .get(at..at + 4)
            .is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
    };
    let mut parts = 4;
    if offset_at(4) {
        parts |= 1;
    }
    if offset_at(8) {
        parts |= 2;
    }
    parts
}

/// The answer to one request.
pub(super) struct Reply {
    pub(super) status: NtStatus,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        self.status == NtStatus::SUCCESS
    }

    fn unpack<T: Unpack>(&self) -> Option<T> {
        T::unpack(&mut ReadCursor::new(&self.body)).ok()
    }

    /// The result of a CREATE.
    pub(super) fn created(&self) -> Option<CreateResponse> {
        self.is_success().then(|| self.unpack()).flatten()
    }

    /// The access that a CREATE with [`Operation::ask_access`] reports; `None` when the server does not report it.
    pub(super) fn granted(&self) -> Option<u32> {
        let contexts = parse_contexts(&self.created()?.create_contexts).ok()?;
        let (status, access) = find(&contexts, MAXIMAL_ACCESS)?.data.split_at_checked(4)?;
        let access = access.get(..4)?.try_into().ok()?;
        (status == [0; 4]).then(|| u32::from_le_bytes(access))
    }

    /// The bytes of a READ; none at the end of the file.
    pub(super) fn read(&self) -> Result<Vec<u8>, NtStatus> {
        if self.status == NtStatus::END_OF_FILE {
            return Ok(Vec::new());
        }
        if !self.is_success() {
            return Err(self.status);
        }
        self.unpack::<ReadResponse>()
            .map(|response| response.data)
            .ok_or(NtStatus::INVALID_PARAMETER)
    }

    /// The entries of a QUERY_DIRECTORY.
    pub(super) fn listing(&self) -> Option<Vec<u8>> {
        self.unpack::<QueryDirectoryResponse>()
            .map(|response| response.output_buffer)
    }

    /// The result of a QUERY_INFO.
    pub(super) fn info(&self) -> Option<Vec<u8>> {
        self.unpack::<QueryInfoResponse>()
            .map(|response| response.output_buffer)
    }
}

/// Sends the operations as one message, and returns the answer to each.
pub(super) async fn send(
    connection: &Connection,
    tree: &Tree,
    operations: &[Operation],
) -> Result<Vec<Reply>, smb2::Error> {
    let requests: Vec<CompoundOp<'_>> = operations
        .iter()
        .map(|operation| CompoundOp {
            command: operation.command,
            body: &*operation.body,
            tree_id: Some(tree.tree_id),
            credit_charge: CreditCharge(operation.credits),
        })
        .collect();
    connection
        .execute_compound(&requests)
        .await?
        .into_iter()
        .map(|frame| {
            frame.map(|frame| Reply {
                status: frame.header.status,
                body: frame.body,
            })
        })
        .collect()
}
