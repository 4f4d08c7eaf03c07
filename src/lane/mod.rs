//! A lane: one assigned partition being worked.
