//! Which texts are objects, and what of them is read.

use super::*;

#[test]
fn common_names_are_found() {
    for name in COMMON_NAMES {
        assert!(matches!(common(name), Cow::Borrowed(found) if found == name));
    }
    for name in ["", "exp2", "ISS", "zoneinfo"] {
        assert!(matches!(common(name), Cow::Owned(found) if found == name));
    }
}

#[test]
fn an_object_reads_and_writes_as_a_map() {
    let text = r#"{"zone":1,"sub":"me","b":{"a":1,"c":[]},"exp":7,"\u0061ud":null}"#;
    let map: Map<String, Value> = serde_json::from_str(text).expect("JSON");
    let object: Object = serde_json::from_str(text).expect("JSON");
    assert_eq!(Object::from(map.clone()), object);
    assert_eq!(object.iter().count(), map.len());
    assert_eq!(
        serde_json::to_value(&object).expect("JSON"),
        Value::Object(map)
    );
    assert_eq!(object.get("aud"), Some(&Value::Null));
    assert_eq!(object.get("a"), None);
    let sorted = r#"{"aud":null,"b":{"a":1,"c":[]},"exp":7,"sub":"me","zone":1}"#;
    assert_eq!(serde_json::to_string(&object).expect("JSON"), sorted);
}

#[test]
fn a_member_of_an_object_stands_once() {
    for text in [
        "",
        "[]",
        "null",
        "7",
        r#"{"a":1,"b":2,"a":1}"#,
        "{} {}",
        "{",
        r#"{7:7}"#,
    ] {
        assert!(serde_json::from_str::<Object>(text).is_err(), "{text}");
    }
    let mut object = Object::default();
    for (name, value) in [("b", 1), ("a", 2), ("c", 3), ("b", 4)] {
        object.insert(name, value.into());
    }
    assert_eq!(object.remove("c"), Some(3.into()));
    assert_eq!(object.remove("d"), None);
    let all: Vec<_> = object
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    assert_eq!(all, ["a2", "b4"]);
}

#[test]
fn members_stand_once() {
    let read = |text: &str| Members::from_slice(text.as_bytes()).ok();
    for text in [r#"{"a":1,"b":{"a":2}}"#, "\u{feff} {\"b\":{\"a\":2}}"] {
        assert_eq!(read(text).expect("an object")["b"]["a"], 2);
    }
    for text in ["", "[]", "null", "7", r#"{"a":1,"a":1}"#, "{} {}", "{"] {
        assert!(read(text).is_none(), "{text}");
    }
}

#[test]
fn a_signed_member_may_stand_twice_with_one_value() {
    let read = |text: &str| serde_json::from_str::<ConsistentObject>(text).ok();
    let ConsistentObject(members) = read(r#"{"a":[1],"b":2,"a":[1]}"#).expect("an object");
    assert_eq!(members.get("a"), Some(&Value::from(vec![1])));
    assert_eq!(members.iter().count(), 2);
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"a":2,"a":1}"#,
        r#"{"a":1,"a":"1"}"#,
        r#"{"a":null,"a":1}"#,
        "[]",
    ] {
        assert!(read(text).is_none(), "{text}");
    }
}

/// As serde_json reads a number where its feature `arbitrary_precision` is on, which the tests are
/// without: something that was read from a text that is no object.
#[test]
fn what_is_no_object_is_refused_whatever_serde_json_makes_of_it() {
    for text in [
        "1",
        " 1",
        "-1.5e3",
        "\t[1]",
        "\r\n\"x\"",
        "null",
        "",
        " ",
        "\u{feff}{}",
    ] {
        let error = only_object(text.as_bytes(), Ok(())).expect_err(text);
        assert_eq!(error.to_string(), "it is no JSON object", "{text}");
    }
    for text in ["{}", " {}", "\r\n\t {\"a\":1}"] {
        assert!(only_object(text.as_bytes(), Ok(())).is_ok(), "{text}");
    }
    let refused = object_from_slice::<Value>(b" 1").expect_err("a number");
    assert_eq!(refused.to_string(), "it is no JSON object");
    assert!(object_from_slice::<Value>(b" {\"a\":1}").is_ok());
}

#[test]
fn nor_is_the_object_that_stands_for_a_number() {
    for text in [
        r#"{"$serde_json::private::Number":"7"}"#,
        r#"{"a":1,"$serde_json::private::Number":"7"}"#,
        r#"{"\u0024serde_json::private::Number":{}}"#,
    ] {
        let errors = [
            Members::from_slice(text.as_bytes()).map(drop),
            Object::from_slice(text.as_bytes()).map(drop),
            serde_json::from_str::<ConsistentObject>(text).map(drop),
        ];
        for error in errors.map(|read| read.expect_err(text)) {
            assert!(error.is_data(), "{error}");
            let shown = error.to_string();
            assert!(shown.starts_with("it is no JSON object"), "{shown}");
        }
    }
}
