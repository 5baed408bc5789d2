use super::*;

fn kind(text: &str) -> AddressKind {
    AddressKind::of(text.parse().expect(text))
}

fn url(text: &str) -> Url {
    Url::parse(text).expect(text)
}

fn guard(named: &str, allow_private: bool) -> AddressGuard {
    let guard = AddressGuard::new(allow_private);
    guard.trust(&url(named));
    guard
}

/// The platform of a runner may live on a private address; no other server may for that.
#[test]
fn the_host_of_the_platform_opens_no_other() {
    let guard = guard("https://id.example", false);
    let runner = url("https://runner.internal/token");
    guard.trust_platform(&runner);
    assert!(guard.check_request(&runner).is_ok());
    let private = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))];
    let permitted = |host| guard.permitted(host, private.to_vec(), |it| *it);
    assert_eq!(permitted("runner.internal").expect("the platform"), private);
    for other in ["https://other.example/", "https://10.0.0.2/"] {
        let checked = guard.check_request(&url(other));
        assert!(
            checked.is_err() || permitted("other.example").is_err(),
            "{other}"
        );
    }
    let by_address = url("https://10.0.0.1/token");
    guard.trust_platform(&by_address);
    assert!(guard.check_request(&by_address).is_ok());
    assert!(guard.check_request(&url("https://10.0.0.2/")).is_err());
    assert!(permitted("other.example").is_err());
}

#[test]
fn addresses_of_this_machine_are_their_own_kind() {
    for text in [
        "127.0.0.1",
        "127.255.255.255",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
    ] {
        assert_eq!(kind(text), AddressKind::Loopback, "{text}");
    }
}

#[test]
fn addresses_are_sorted() {
    for text in [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.169.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1",
        "2a00:1450::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2001:4860::8888",
    ] {
        assert_eq!(kind(text), AddressKind::Public, "{text}");
    }
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "2002:0a00:0001::1",
        "2002:0808:0808::1",
        "2001:db8::1",
        "2001::1",
        "3fff::1",
        "100::1",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "5f00::1",
    ] {
        assert_eq!(kind(text), AddressKind::Private, "{text}");
    }
    for text in [
        "169.254.169.254",
        "169.254.0.1",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "2002:a9fe:a9fe::1",
    ] {
        assert_eq!(kind(text), AddressKind::Forbidden, "{text}");
    }
}

/// However the address is written: the URL parser decides.
#[test]
fn a_public_server_leads_to_no_private_address() {
    for text in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://017700000001/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://10.1.2.3/",
        "https://0/",
        "https://[fd00::1]/",
        "https://[64:ff9b::a00:1]/",
    ] {
        let guard = guard("https://id.example/", false);
        assert!(guard.check_url(&url(text)).is_err(), "{text}");
        assert!(guard.check_request(&url(text)).is_err(), "{text}");
        let allowing = self::guard("https://id.example/", true);
        assert!(allowing.check_request(&url(text)).is_ok(), "{text}");
    }
}

#[test]
fn link_local_addresses_are_refused_whatever_was_said() {
    for text in [
        "http://169.254.169.254/latest",
        "https://[fe80::1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://2852039166/",
        "https://[fd00:ec2::254]/",
    ] {
        for guard in [guard(text, true), guard("https://127.0.0.1/", true)] {
            assert!(guard.check_url(&url(text)).is_err(), "{text}");
            assert!(guard.check_request(&url(text)).is_err(), "{text}");
        }
    }
    let guard = guard("https://id.example/", true);
    let metadata = vec!["169.254.169.254".parse().expect("an address")];
    assert!(guard.permitted("id.example", metadata, |one| *one).is_err());
}

#[test]
fn a_server_on_a_private_address_may_have_its_endpoints_there() {
    let guard = guard("https://10.0.0.1/", false);
    let other = url("https://10.0.0.2/token");
    assert!(guard.check_url(&other).is_err(), "nothing is known yet");
    guard
        .check_request(&url("https://10.0.0.1/"))
        .expect("named");
    guard.check_url(&other).expect("private too");
    guard.check_request(&other).expect("private too");
    assert!(guard.check_url(&url("https://169.254.0.1/")).is_err());
}

fn permitted(guard: &AddressGuard, host: &str, addresses: &[&str]) -> Option<usize> {
    let addresses = addresses
        .iter()
        .map(|text| text.parse().expect("an address"));
    let addresses: Vec<IpAddr> = addresses.collect();
    guard
        .permitted(host, addresses, |one| *one)
        .ok()
        .map(|found| found.len())
}

#[test]
fn names_are_checked_by_their_addresses() {
    let guard = guard("https://id.example/", false);
    guard
        .check_request(&url("https://id.example/"))
        .expect("named");
    guard
        .check_request(&url("https://other.example/"))
        .expect("not known yet");
    assert_eq!(permitted(&guard, "id.example", &["8.8.8.8"]), Some(1));
    assert_eq!(permitted(&guard, "other.example", &["10.0.0.1"]), None);
    assert_eq!(
        permitted(&guard, "other.example", &["10.0.0.1", "8.8.8.8"]),
        Some(1)
    );
    assert_eq!(
        permitted(&guard, "other.example", &["169.254.169.254", "::1"]),
        None
    );
    // A proxy may live anywhere: no request is for it.
    assert_eq!(permitted(&guard, "proxy.example", &["10.0.0.1"]), Some(1));
    // An intranet's server.
    assert_eq!(permitted(&guard, "id.example", &["10.0.0.9"]), Some(1));
    assert_eq!(permitted(&guard, "other.example", &["10.0.0.1"]), Some(1));
    assert_eq!(
        permitted(&guard, "other.example", &["169.254.169.254"]),
        None
    );
}

#[test]
fn a_stranger_s_server_has_public_addresses_alone() {
    let guard = AddressGuard::of_stranger();
    for private in [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://[fd00::1]/",
        "https://169.254.169.254/",
    ] {
        assert!(guard.check_request(&url(private)).is_err(), "{private}");
        assert!(guard.check_url(&url(private)).is_err(), "{private}");
    }
    for host in ["evil.example", "other.example"] {
        let there = url(&format!("https://{host}/"));
        guard.check_request(&there).expect("not known yet");
    }
    // One of several is enough, and opens nothing.
    for addresses in [
        &["10.0.0.5", "8.8.8.8"][..],
        &["8.8.8.8", "127.0.0.1"],
        &["8.8.8.8", "1.1.1.1", "169.254.169.254"],
        &["fd00::1"],
    ] {
        assert_eq!(permitted(&guard, "evil.example", addresses), None);
        assert!(guard.check_request(&url("http://127.0.0.1:8080/")).is_err());
        assert_eq!(permitted(&guard, "other.example", &["10.0.0.1"]), None);
    }
    assert_eq!(
        permitted(&guard, "evil.example", &["8.8.8.8", "2600::1"]),
        Some(2)
    );
    // What the calling code names opens no other host.
    for named in ["https://10.0.0.1/", "https://proxy.internal/token"] {
        guard.trust(&url(named));
        guard.check_request(&url(named)).expect("named");
    }
    assert_eq!(permitted(&guard, "proxy.internal", &["10.0.0.7"]), Some(1));
    assert!(guard.check_request(&url("https://10.0.0.2/")).is_err());
    assert_eq!(permitted(&guard, "other.example", &["10.0.0.1"]), None);
}

#[test]
fn nothing_that_a_resource_names_is_private() {
    for (resource, permitted) in [
        ("https://mcp.example/", false),
        ("https://10.0.0.1/", false),
        ("https://localhost.example/", false),
        ("http://localhost:1/mcp", true),
        ("http://127.0.0.1:1/mcp", true),
        ("http://[::1]/mcp", true),
    ] {
        let guard = AddressGuard::of_resource(&url(resource), false);
        for local in ["http://localhost:2/", "https://127.1/", "http://[::1]:3/"] {
            assert_eq!(
                guard.check_request(&url(local)).is_ok(),
                permitted,
                "{resource} {local}"
            );
            assert_eq!(
                guard.check_url(&url(local)).is_ok(),
                permitted,
                "{resource} {local}"
            );
        }
        for private in [
            "https://10.0.0.1/",
            "https://192.168.0.1/",
            "https://[fd00::1]/",
        ] {
            assert!(
                guard.check_request(&url(private)).is_err(),
                "{resource} {private}"
            );
            let open = AddressGuard::of_resource(&url(resource), true);
            assert!(
                open.check_request(&url(private)).is_ok(),
                "{resource} {private}"
            );
            assert!(open.check_request(&url("http://169.254.169.254/")).is_err());
        }
        assert!(guard.check_request(&url("https://id.example/")).is_ok());
        assert_eq!(
            permitted_count(&guard, "id.example", &["10.0.0.1", "8.8.8.8"]),
            1
        );
        assert_eq!(
            permitted_count(&guard, "id.example", &["127.0.0.1"]),
            usize::from(permitted)
        );
    }
}

fn permitted_count(guard: &AddressGuard, host: &str, addresses: &[&str]) -> usize {
    let addresses = addresses
        .iter()
        .map(|text| text.parse().expect("an address"));
    let addresses: Vec<IpAddr> = addresses.collect();
    guard
        .permitted(host, addresses, |one| *one)
        .map_or(0, |permitted| permitted.len())
}
