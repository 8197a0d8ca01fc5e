use crate::{Address, Error};

fn parsed(text: &str) -> String {
    text.parse::<Address>().unwrap().to_string()
}

#[test]
fn addresses_are_read_and_written() {
    assert_eq!(parsed("unix:/run/dray.sock"), "unix:/run/dray.sock");
    assert_eq!(parsed("/run/a:b"), "unix:/run/a:b");
    assert_eq!(parsed("tcp:node-1.example:7878"), "tcp:node-1.example:7878");
    assert_eq!(parsed("10.0.0.1:7878"), "tcp:10.0.0.1:7878");
    assert_eq!(parsed("tcp:[::1]:0"), "tcp:[::1]:0");
    let v6 = "[fe80::1]:9".parse().unwrap();
    assert_eq!(Address::Tcp { host: "fe80::1".into(), port: 9 }, v6);
}

#[test]
fn what_is_no_address_is_refused() {
    let long = format!("unix:/{}", "x".repeat(107));
    let wrong = [
        "",
        "unix:",
        "unix:run",
        "/run/",
        "host",
        "host:",
        ":1",
        "host:+1",
        "host:65536",
        "::1:5",
        "[::1:5",
        "[host]:5",
        "a b:1",
        "tcp:1",
        &long,
    ];
    for text in wrong {
        let refused = text.parse::<Address>();
        assert!(matches!(refused, Err(Error::BadAddress { .. })), "{text}: {refused:?}");
    }
}

#[test]
fn configuration_holds_it_as_text() {
    let address: Address = serde_json::from_str("\"host:7\"").unwrap();
    assert_eq!(serde_json::to_string(&address).unwrap(), "\"tcp:host:7\"");
    assert!(serde_json::from_str::<Address>("\"host\"").is_err());
}
