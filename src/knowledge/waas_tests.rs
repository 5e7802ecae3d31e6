//! Tests of the reader of WaaS files.
