pub mod json;
pub mod operation;
