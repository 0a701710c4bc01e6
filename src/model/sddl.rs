//! Security descriptors as text [MS-DTYP 2.5.1].
