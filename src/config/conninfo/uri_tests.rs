//! Tests of connection URIs: what libpq accepts and refuses, and that a written URI is read back.

use proptest::prelude::*;

use super::super::build::{Password, to_uri};
use super::*;

fn values(text: &str) -> Vec<(&'static str, String)> {
    parse(text).unwrap().iter().map(|(name, value)| (name, value.to_string())).collect()
}

fn pairs(wanted: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    wanted.iter().map(|(name, value)| (*name, value.to_string())).collect()
}

#[test]
fn the_manuals_examples() {
    assert_eq!(values("postgresql://"), []);
    assert_eq!(values("postgresql://localhost"), pairs(&[("host", "localhost")]));
    assert_eq!(values("postgresql://localhost:5433"), pairs(&[("host", "localhost"), ("port", "5433")]));
    assert_eq!(values("postgresql://localhost/mydb"), pairs(&[("dbname", "mydb"), ("host", "localhost")]));
    assert_eq!(values("postgresql://user@localhost"), pairs(&[("host", "localhost"), ("user", "user")]));
    assert_eq!(
        values("postgresql://user:secret@localhost"),
        pairs(&[("host", "localhost"), ("password", "secret"), ("user", "user")])
    );
    assert_eq!(
        values("postgresql://host1:123,host2:456/somedb?connect_timeout=10&application_name=myapp"),
        pairs(&[("connect_timeout", "10"), ("dbname", "somedb"), ("host", "host1,host2"), ("port", "123,456")])
    );
    assert_eq!(
        values("postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff"),
        pairs(&[
            ("dbname", "mydb"),
            ("host", "localhost"),
            ("options", "-c synchronous_commit=off"),
            ("port", "5433"),
            ("user", "user")
        ])
    );
    assert_eq!(
        values("postgresql:///mydb?host=localhost&port=5433"),
        pairs(&[("dbname", "mydb"), ("host", "localhost"), ("port", "5433")])
    );
    assert_eq!(
        values("postgresql://[2001:db8::1234]/database"),
        pairs(&[("dbname", "database"), ("host", "2001:db8::1234")])
    );
    assert_eq!(
        values("postgresql:///dbname?host=/var/lib/postgresql"),
        pairs(&[("dbname", "dbname"), ("host", "/var/lib/postgresql")])
    );
    assert_eq!(
        values("postgresql://%2Fvar%2Flib%2Fpostgresql/dbname"),
        pairs(&[("dbname", "dbname"), ("host", "/var/lib/postgresql")])
    );
    assert_eq!(values("postgres://h?ssl=true"), pairs(&[("host", "h"), ("sslmode", "require")]));
}

#[test]
fn a_missing_port_among_several_keeps_its_place() {
    assert_eq!(values("postgres://a,b:2,[::1]:3"), pairs(&[("host", "a,b,::1"), ("port", ",2,3")]));
}

#[test]
fn a_url_of_prisma_reads() {
    let params =
        parse("postgresql://postgres.ref:p%40ss@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1&schema=public&supa=base-pooler.x")
            .unwrap();
    assert_eq!(params.get("password"), Some("p@ss"));
    assert_eq!(params.pgbouncer, Some(true));
    assert_eq!(params.notes.len(), 4);
}

#[test]
fn special_characters_in_a_password_get_a_hint_and_are_not_repeated() {
    for text in [
        "postgres://u:canary@x@host/d",
        "postgres://u:canary/x@host/d",
        "postgres://u:12/canary@host/d",
        "postgres://u:canary%zz@host/d",
        "postgres://u:100%canary@host/d",
        "postgres://u:x@canary?a=b@host/d",
        "postgres://u:ca@nary?canary=b@host/d",
        "postgres://u:/canary@host/d",
    ] {
        let failure = parse(text).unwrap_err();
        let shown = format!("{failure} {failure:?} {:?}", failure.hints);
        assert!(!shown.contains("canary"), "{text}: {shown}");
        assert!(shown.contains('%'), "{text}: {shown}");
    }
}

#[test]
fn what_libpq_refuses_is_refused() {
    for text in [
        "postgres://[::1",
        "postgres://[]/d",
        "postgres://[::1]x/d",
        "postgres://h/d?x",
        "postgres://h/d?options=a=b",
        "postgres://h/d?uzer=x",
        "postgres://h/%00",
        "postgres://h:0/d",
        "postgres://h:70000/d",
        "postgres://h:x/d",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,80}") {
        let _ = parse(&text);
        let _ = parse(&format!("postgres://{text}"));
        let _ = crate::config::conninfo::parse(&text);
    }

    #[test]
    fn never_panics_on_its_own_punctuation(text in "[a-z0-9%@/:?&=,\\[\\]]{0,40}") {
        let _ = parse(&format!("postgres://{text}"));
    }

    #[test]
    fn a_built_uri_reads_back(
        user in "\\PC{1,12}",
        password in proptest::option::of("\\PC{1,20}"),
        host in prop_oneof!["[a-z0-9.-]{1,20}", Just("::1".to_string()), Just("/var/run/x y".to_string())],
        port in proptest::option::of(1_u16..),
        database in proptest::option::of("\\PC{1,12}"),
        options in proptest::option::of("\\PC{1,20}"),
    ) {
        let mut params = Params::default();
        params.set("user", user);
        params.set("host", host);
        if let Some(port) = port { params.set("port", port.to_string()); }
        if let Some(password) = password { params.set("password", password); }
        if let Some(database) = database { params.set("dbname", database); }
        if let Some(options) = options { params.set("options", options); }
        let uri = to_uri(&params, Password::Shown);
        prop_assert_eq!(parse(&uri).unwrap(), params);
    }
}
