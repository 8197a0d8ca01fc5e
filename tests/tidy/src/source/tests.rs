//! A rule is only as good as the split between code and comment.

use super::{has_word, split};

fn code(text: &str) -> String {
    let codes: Vec<String> = split(text).into_iter().map(|line| line.code).collect();
    codes.join("\n")
}

#[test]
fn comments_are_not_code() {
    assert_eq!(code("a(); // b"), "a(); ");
    assert_eq!(code("a /* b /* c */ d */ e"), "a  e");
    assert_eq!(code("a /* b\nc */ d"), "a \n d");
    assert_eq!(split("x // SAFETY: y")[0].comment, " SAFETY: y");
}

#[test]
fn the_insides_of_literals_are_not_code() {
    assert_eq!(code(r#"f("// no \" comment") // yes"#), r#"f("") "#);
    assert_eq!(code("f(r#\"a \" b\"#, br\"c\")"), r#"f("", "")"#);
    assert_eq!(code("f(\"a\nb\")"), "f(\"\n\")");
    assert_eq!(code("f('\"', b'\\'', '\\u{7f}', x)"), "f(', b', ', x)");
}

#[test]
fn lifetimes_and_raw_names_do_not_open_literals() {
    assert_eq!(code("fn f<'a>(x: &'a str) {} // c"), "fn f<'a>(x: &'a str) {} ");
    assert_eq!(code("r#type = for\"\""), "r#type = for\"\"");
}

#[test]
fn words_have_edges() {
    assert!(has_word("x = unsafe{", "unsafe"));
    assert!(!has_word("forbid(unsafe_code)", "unsafe"));
    assert!(!has_word("operand", "rand"));
}
