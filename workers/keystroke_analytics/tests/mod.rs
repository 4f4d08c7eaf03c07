//! The rules of keystroke sessions as sentences: sessions in, rows and documents out.
