//! A fault at every call of every verb: whatever happens, the domain is as before or as the verb leaves it, at once or after
//! `operations undo` or `operations cleanup` of a new client; and whenever a client reads a policy, it is a whole one.

mod came_between;
pub mod case;
mod client_view;
mod interrupted_twice;
pub mod kills;
mod local_disk;
mod mixtures;
mod one_half_lost;
mod open_files;
mod other_admin;
mod pretended;
mod probes;
pub mod sweep;
mod two_operations;

use case::Verb;
use sweep::sweep;

macro_rules! every_call {
    ($($name:ident: $verb:ident, $undo:literal, [$($part:ident $number:literal)*] of $parts:literal;)*) => {
        $(
            mod $name {
                use super::*;
                $(
                    #[tokio::test(start_paused = true)]
                    async fn $part() {
                        sweep(Verb::$verb, $undo, $number, $parts).await;
                    }
                )*
            }
        )*
    };
}

every_call! {
    create: Create, false, [all 0] of 1;
    set_status: SetStatus, false, [all 0] of 1;
    rename: Rename, false, [all 0] of 1;
    import: Import, false, [one 0 two 1 three 2 four 3] of 4;
    delete: Delete, false, [one 0 two 1] of 2;
    restore: Restore, false, [one 0 two 1 three 2 four 3] of 4;
    restore_deleted: RestoreDeleted, false, [one 0 two 1] of 2;
    copy_within: CopyWithin, false, [one 0 two 1] of 2;
    copy_across: CopyAcross, false, [one 0 two 1] of 2;
    add_link: AddLink, false, [all 0] of 1;
    set_link: SetLink, false, [all 0] of 1;
    remove_link: RemoveLink, false, [all 0] of 1;
    create_filter: CreateFilter, false, [all 0] of 1;
    replace_filter: ReplaceFilter, false, [all 0] of 1;
    link_filter: LinkFilter, false, [all 0] of 1;
    unlink_filter: UnlinkFilter, false, [all 0] of 1;
    repair: Repair, false, [all 0] of 1;
    repair_gpt_ini: RepairGptIni, false, [all 0] of 1;
    several: Several, false, [one 0 two 1 three 2 four 3 five 4 six 5] of 6;
    each_of_several: EachOfSeveral, false, [one 0 two 1 three 2 four 3 five 4 six 5] of 6;
    undo_of_create: Create, true, [all 0] of 1;
    undo_of_set_status: SetStatus, true, [all 0] of 1;
    undo_of_rename: Rename, true, [all 0] of 1;
    undo_of_import: Import, true, [one 0 two 1 three 2 four 3] of 4;
    undo_of_delete: Delete, true, [one 0 two 1] of 2;
    undo_of_restore: Restore, true, [one 0 two 1 three 2 four 3] of 4;
    undo_of_restore_deleted: RestoreDeleted, true, [one 0 two 1] of 2;
    undo_of_copy: CopyWithin, true, [one 0 two 1] of 2;
    undo_of_copy_across: CopyAcross, true, [one 0 two 1] of 2;
    undo_of_add_link: AddLink, true, [all 0] of 1;
    undo_of_set_link: SetLink, true, [all 0] of 1;
    undo_of_remove_link: RemoveLink, true, [all 0] of 1;
    undo_of_create_filter: CreateFilter, true, [all 0] of 1;
    undo_of_replace_filter: ReplaceFilter, true, [all 0] of 1;
    undo_of_link_filter: LinkFilter, true, [all 0] of 1;
    undo_of_unlink_filter: UnlinkFilter, true, [all 0] of 1;
    undo_of_repair: Repair, true, [all 0] of 1;
    undo_of_repair_gpt_ini: RepairGptIni, true, [all 0] of 1;
    undo_of_several: Several, true, [one 0 two 1 three 2 four 3 five 4 six 5] of 6;
    undo_of_each_of_several: EachOfSeveral, true, [one 0 two 1 three 2 four 3 five 4 six 5] of 6;
}

macro_rules! another_administrator {
    ($($name:ident: $verb:ident, $undo:literal;)*) => {
        mod another_administrator_during {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    other_admin::sweep(Verb::$verb, $undo).await;
                }
            )*
        }
    };
}

another_administrator! {
    create: Create, false;
    set_status: SetStatus, false;
    rename: Rename, false;
    import: Import, false;
    delete: Delete, false;
    restore: Restore, false;
    restore_deleted: RestoreDeleted, false;
    copy_within: CopyWithin, false;
    copy: CopyAcross, false;
    add_link: AddLink, false;
    set_link: SetLink, false;
    remove_link: RemoveLink, false;
    create_filter: CreateFilter, false;
    replace_filter: ReplaceFilter, false;
    link_filter: LinkFilter, false;
    unlink_filter: UnlinkFilter, false;
    repair: Repair, false;
    repair_gpt_ini: RepairGptIni, false;
    undo_of_create: Create, true;
    undo_of_set_status: SetStatus, true;
    undo_of_rename: Rename, true;
    undo_of_import: Import, true;
    undo_of_delete: Delete, true;
    undo_of_restore: Restore, true;
    undo_of_restore_deleted: RestoreDeleted, true;
    undo_of_copy: CopyWithin, true;
    undo_of_copy_across: CopyAcross, true;
    undo_of_add_link: AddLink, true;
    undo_of_set_link: SetLink, true;
    undo_of_remove_link: RemoveLink, true;
    undo_of_create_filter: CreateFilter, true;
    undo_of_replace_filter: ReplaceFilter, true;
    undo_of_link_filter: LinkFilter, true;
    undo_of_unlink_filter: UnlinkFilter, true;
    undo_of_repair: Repair, true;
    undo_of_repair_gpt_ini: RepairGptIni, true;
}

macro_rules! one_half_is_lost {
    ($($name:ident: $verb:ident, $undo:literal;)*) => {
        mod one_half_is_lost {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    one_half_lost::sweep(Verb::$verb, $undo).await;
                }
            )*
        }
    };
}

one_half_is_lost! {
    create: Create, false;
    import: Import, false;
    delete: Delete, false;
    restore: Restore, false;
    restore_deleted: RestoreDeleted, false;
    copy_within: CopyWithin, false;
    repair: Repair, false;
    undo_of_import: Import, true;
    undo_of_delete: Delete, true;
}

macro_rules! a_server_that_pretends {
    ($($name:ident: $verb:ident, $undo:literal;)*) => {
        mod a_server_that_pretends {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    pretended::sweep(Verb::$verb, $undo).await;
                }
            )*
        }
    };
}

a_server_that_pretends! {
    create: Create, false;
    set_status: SetStatus, false;
    rename: Rename, false;
    import: Import, false;
    delete: Delete, false;
    restore: Restore, false;
    restore_deleted: RestoreDeleted, false;
    copy_within: CopyWithin, false;
    copy: CopyAcross, false;
    undo_of_create: Create, true;
    undo_of_set_status: SetStatus, true;
    undo_of_rename: Rename, true;
    undo_of_import: Import, true;
    undo_of_delete: Delete, true;
    undo_of_restore: Restore, true;
    undo_of_restore_deleted: RestoreDeleted, true;
    undo_of_copy: CopyWithin, true;
}

mod two_operations_at_once {
    use super::*;

    macro_rules! parts {
        ($sweep:ident [$($part:ident $number:literal)*] of $parts:literal) => {
            $(
                #[tokio::test(start_paused = true)]
                async fn $part() {
                    two_operations::$sweep($number, $parts).await;
                }
            )*
        };
    }

    parts!(sweep [one 0 two 1 three 2 four 3] of 4);
    parts!(sweep_late [late_one 0 late_two 1] of 2);
}

macro_rules! a_roll_back_interrupted_twice {
    ($($name:ident: $verb:ident, [$($part:ident $number:literal)*] of $parts:literal;)*) => {
        mod a_roll_back_interrupted_twice {
            use super::*;
            $(
                mod $name {
                    use super::*;
                    $(
                        #[tokio::test(start_paused = true)]
                        async fn $part() {
                            interrupted_twice::sweep(Verb::$verb, $number, $parts).await;
                        }
                    )*
                }
            )*
        }
    };
}

a_roll_back_interrupted_twice! {
    create: Create, [all 0] of 1;
    rename: Rename, [all 0] of 1;
    import: Import, [one 0 two 1 three 2 four 3 five 4 six 5 seven 6 eight 7] of 8;
    delete: Delete, [one 0 two 1] of 2;
    copy: CopyAcross, [one 0 two 1] of 2;
    repair: Repair, [all 0] of 1;
    repair_gpt_ini: RepairGptIni, [all 0] of 1;
}
