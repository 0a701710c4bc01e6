//! Access masks [MS-DTYP 2.4.3]: the rights on every kind of object, on directory objects, and on files and folders, and
//! what the generic rights include on each.

/// Rights on every kind of object [MS-DTYP 2.4.3].
pub mod standard {
    /// DELETE.
    pub const DELETE: u32 = 0x0001_0000;
    /// READ_CONTROL: to read the descriptor.
    pub const READ_CONTROL: u32 = 0x0002_0000;
    /// WRITE_DACL.
    pub const WRITE_DACL: u32 = 0x0004_0000;
    /// WRITE_OWNER.
    pub const WRITE_OWNER: u32 = 0x0008_0000;
    /// SYNCHRONIZE: on files and folders alone.
    pub const SYNCHRONIZE: u32 = 0x0010_0000;
    /// ACCESS_SYSTEM_SECURITY: to read and write the SACL.
    pub const ACCESS_SYSTEM_SECURITY: u32 = 0x0100_0000;
    /// MAXIMUM_ALLOWED.
    pub const MAXIMUM_ALLOWED: u32 = 0x0200_0000;
    /// GENERIC_ALL.
    pub const GENERIC_ALL: u32 = 0x1000_0000;
    /// GENERIC_EXECUTE.
    pub const GENERIC_EXECUTE: u32 = 0x2000_0000;
    /// GENERIC_WRITE.
    pub const GENERIC_WRITE: u32 = 0x4000_0000;
    /// GENERIC_READ.
    pub const GENERIC_READ: u32 = 0x8000_0000;
    /// The standard rights together, SYNCHRONIZE among them.
    pub const ALL: u32 = DELETE | READ_CONTROL | WRITE_DACL | WRITE_OWNER | SYNCHRONIZE;
}

/// Rights on directory objects [MS-ADTS 5.1.3.2].
pub mod directory {
    use super::standard;

    /// RIGHT_DS_CREATE_CHILD.
    pub const CREATE_CHILD: u32 = 0x1;
    /// RIGHT_DS_DELETE_CHILD.
    pub const DELETE_CHILD: u32 = 0x2;
    /// RIGHT_DS_LIST_CONTENTS.
    pub const LIST_CONTENTS: u32 = 0x4;
    /// RIGHT_DS_WRITE_PROPERTY_EXTENDED: validated writes.
    pub const VALIDATED_WRITE: u32 = 0x8;
    /// RIGHT_DS_READ_PROPERTY.
    pub const READ_PROPERTY: u32 = 0x10;
    /// RIGHT_DS_WRITE_PROPERTY.
    pub const WRITE_PROPERTY: u32 = 0x20;
    /// RIGHT_DS_DELETE_TREE.
    pub const DELETE_TREE: u32 = 0x40;
    /// RIGHT_DS_LIST_OBJECT.
    pub const LIST_OBJECT: u32 = 0x80;
    /// RIGHT_DS_CONTROL_ACCESS: an extended right.
    pub const CONTROL_ACCESS: u32 = 0x100;

    /// What RIGHT_GENERIC_READ includes.
    pub const READ: u32 = standard::READ_CONTROL | LIST_CONTENTS | READ_PROPERTY | LIST_OBJECT;
    /// What RIGHT_GENERIC_WRITE includes.
    pub const WRITE: u32 = standard::READ_CONTROL | WRITE_PROPERTY | VALIDATED_WRITE;
    /// What RIGHT_GENERIC_EXECUTE includes.
    pub const EXECUTE: u32 = standard::READ_CONTROL | LIST_CONTENTS;
    /// What RIGHT_GENERIC_ALL includes.
    pub const ALL: u32 = EDIT_DELETE_MODIFY_SECURITY | CONTROL_ACCESS;
    /// "Edit settings, delete, modify security", as GPMC grants it on a GPO: all but extended rights.
    pub const EDIT_DELETE_MODIFY_SECURITY: u32 = READ
        | WRITE
        | CREATE_CHILD
        | DELETE_CHILD
        | DELETE_TREE
        | standard::DELETE
        | standard::WRITE_DACL
        | standard::WRITE_OWNER;

    /// Replaces generic rights with what they include.
    pub fn expand(mask: u32) -> u32 {
        super::expand(mask, [ALL, EXECUTE, WRITE, READ])
    }
}

/// Rights on files and folders [MS-SMB2 2.2.13.1.1, 2.2.13.1.2]; a bit that has two meanings has the name for files.
pub mod file {
    use super::standard;

    /// FILE_READ_DATA; FILE_LIST_DIRECTORY.
    pub const READ_DATA: u32 = 0x1;
    /// FILE_WRITE_DATA; FILE_ADD_FILE.
    pub const WRITE_DATA: u32 = 0x2;
    /// FILE_APPEND_DATA; FILE_ADD_SUBDIRECTORY.
    pub const APPEND_DATA: u32 = 0x4;
    /// FILE_READ_EA.
    pub const READ_EA: u32 = 0x8;
    /// FILE_WRITE_EA.
    pub const WRITE_EA: u32 = 0x10;
    /// FILE_EXECUTE; FILE_TRAVERSE.
    pub const EXECUTE_DATA: u32 = 0x20;
    /// FILE_DELETE_CHILD.
    pub const DELETE_CHILD: u32 = 0x40;
    /// FILE_READ_ATTRIBUTES.
    pub const READ_ATTRIBUTES: u32 = 0x80;
    /// FILE_WRITE_ATTRIBUTES.
    pub const WRITE_ATTRIBUTES: u32 = 0x100;

    /// What GENERIC_READ includes.
    pub const READ: u32 =
        READ_DATA | READ_EA | READ_ATTRIBUTES | standard::READ_CONTROL | standard::SYNCHRONIZE;
    /// What GENERIC_WRITE includes.
    pub const WRITE: u32 = WRITE_DATA
        | APPEND_DATA
        | WRITE_EA
        | WRITE_ATTRIBUTES
        | standard::READ_CONTROL
        | standard::SYNCHRONIZE;
    /// What GENERIC_EXECUTE includes.
    pub const EXECUTE: u32 =
        EXECUTE_DATA | READ_ATTRIBUTES | standard::READ_CONTROL | standard::SYNCHRONIZE;
    /// What GENERIC_ALL includes.
    pub const ALL: u32 = READ | WRITE | EXECUTE | DELETE_CHILD | standard::ALL;
}

/// Replaces GENERIC_ALL, _EXECUTE, _WRITE and _READ with what they include.
fn expand(mask: u32, included: [u32; 4]) -> u32 {
    let generic = [
        standard::GENERIC_ALL,
        standard::GENERIC_EXECUTE,
        standard::GENERIC_WRITE,
        standard::GENERIC_READ,
    ];
    let mut all = mask;
    for (generic, included) in generic.into_iter().zip(included) {
        if mask & generic != 0 {
            all = all & !generic | included;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the specifications, which the constants are composed of.
    #[test]
    fn generic_rights_include_what_the_specifications_say() {
        for (generic, of_directory) in [
            (standard::GENERIC_READ, 0x0002_0094),
            (standard::GENERIC_WRITE, 0x0002_0028),
            (standard::GENERIC_EXECUTE, 0x0002_0004),
            (standard::GENERIC_ALL, 0x000F_01FF),
        ] {
            assert_eq!(directory::expand(generic), of_directory);
            assert_eq!(directory::expand(generic | 0x40), of_directory | 0x40);
        }
        assert_eq!(directory::expand(0x0300_0021), 0x0300_0021);
        let of_file = [file::READ, file::WRITE, file::EXECUTE, file::ALL];
        assert_eq!(
            of_file,
            [0x0012_0089, 0x0012_0116, 0x0012_00A0, 0x001F_01FF]
        );
        assert_eq!(directory::EDIT_DELETE_MODIFY_SECURITY, 0x000F_00FF);
    }
}
