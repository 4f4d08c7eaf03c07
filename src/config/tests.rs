//! Tests of configuration: flags, variables, files.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn config(flags: &[&str], env: &[(&str, &str)]) -> Result<Config, Fault> {
    let line = Line::try_parse_from(std::iter::once("fleet").chain(flags.iter().copied())).unwrap();
    Config::new(line.args, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn refusal(flags: &[&str], env: &[(&str, &str)]) -> String {
    match config(flags, env) {
        Ok(_) => panic!("taken"),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn takes_the_defaults() {
    let config = config(&[], &[]).unwrap();
    assert_eq!(config.registry.secret(), REGISTRY_URL);
    assert_eq!(config.mysql().get_database(), Some("fleet"));
}

#[test]
fn prints_no_secret() {
    let flags = ["--mysql-url", "mysql://app:hunter2@db/fleet?ssl-mode=required", "--redis-url", "rediss://:hunter2@cache/0"];
    let env = [("FLEET_KAFKA_SASL_PASSWORD", "hunter2"), ("FLEET_KAFKA_SSL_KEY_PEM", "hunter2"), ("FLEET_KAFKA_CLIENT_ID", "shown")];
    let printed = format!("{:?}", config(&flags, &env).unwrap());
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(printed.contains("mysql://app:***@db/fleet") && printed.contains("shown"), "{printed}");
}

#[test]
fn refuses_a_bad_address_by_the_name_of_its_variable() {
    assert_eq!(refusal(&["--mysql-url", "postgres://x/y"], &[]), "FLEET_MYSQL_URL: starts with postgres://, wants mysql://");
    assert_eq!(refusal(&["--mysql-url", "mysql://root@db"], &[]), "FLEET_MYSQL_URL: mysql://root@db names no database");
    assert_eq!(refusal(&["--redis-url", "nonsense"], &[]), "FLEET_REDIS_URL: not a URL: relative URL without a base");
    assert!(refusal(&["--mysql-url", "mysql://u:hunter2@db/f?ssl-mode=odd"], &[]).ends_with("mysql://u:***@db/f has an unknown option"));
    let file = refusal(&["--mysql-url", "mysql://u@db/f?ssl-mode=verify_ca&ssl-ca=/no/such.pem"], &[]);
    assert!(file.starts_with("FLEET_MYSQL_URL: mysql://u@db/f names a file in ssl-ca that cannot be read: No such file"), "{file}");
    assert!(refusal(&["--namespace", "a b"], &[]).starts_with("FLEET_NAMESPACE: "));
}

#[test]
fn reads_a_secret_from_its_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "mysql://app:x@db/other\n").unwrap();
    let path = file.path().to_str().unwrap();
    let config = config(&["--mysql-url-file", path], &[]).unwrap();
    assert_eq!(config.mysql().get_database(), Some("other"));
    let both = refusal(&["--mysql-url-file", path, "--mysql-url", "mysql://x/y"], &[]);
    assert_eq!(both, "FLEET_MYSQL_URL and FLEET_MYSQL_URL_FILE are both given: keep one");
}

#[test]
fn passes_properties_to_the_kafka_client() {
    let config = config(&[], &[("FLEET_KAFKA_SESSION_TIMEOUT_MS", "7000"), ("FLEET_OTHER", "x")]).unwrap();
    let client = config.kafka_with(&[("session.timeout.ms", "6000"), ("linger.ms", "5")]);
    assert_eq!(client.get("session.timeout.ms"), Some("7000"));
    assert_eq!(client.get("linger.ms"), Some("5"));
    assert_eq!(client.get("bootstrap.servers"), Some("127.0.0.1:29090"));
}

#[test]
fn reads_a_kafka_secret_from_its_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "hunter2\n").unwrap();
    let path = file.path().to_str().unwrap();
    let config = config(&[], &[("FLEET_KAFKA_SASL_PASSWORD_FILE", path)]).unwrap();
    assert_eq!(config.kafka().get("sasl.password"), Some("hunter2"));
    let both = refusal(&[], &[("FLEET_KAFKA_SASL_PASSWORD_FILE", path), ("FLEET_KAFKA_SASL_PASSWORD", "x")]);
    assert_eq!(both, "FLEET_KAFKA_SASL_PASSWORD and FLEET_KAFKA_SASL_PASSWORD_FILE are both given: keep one");
}

#[test]
fn refuses_a_property_by_the_name_of_its_variable() {
    assert!(refusal(&[], &[("FLEET_KAFKA_NO_SUCH_THING", "1")]).starts_with("FLEET_KAFKA_NO_SUCH_THING: "));
    assert!(refusal(&[], &[("FLEET_KAFKA_SESSION_TIMEOUT_MS", "soon")]).starts_with("FLEET_KAFKA_SESSION_TIMEOUT_MS: "));
    assert!(refusal(&[], &[("FLEET_KAFKA_GROUP_ID", "mine")]).starts_with("FLEET_KAFKA_GROUP_ID: group.id is fleet's own to set"));
    for name in
        ["MESSAGE_TIMEOUT_MS", "DELIVERY_TIMEOUT_MS", "RETRIES", "MESSAGE_MAX_BYTES", "REQUEST_REQUIRED_ACKS", "METADATA_BROKER_LIST"]
    {
        let (variable, value) = (format!("FLEET_KAFKA_{name}"), "1000");
        let refused = refusal(&[], &[(&variable, value)]);
        assert!(refused.starts_with(&format!("{variable}: ")) && refused.contains("is fleet's own to set"), "{refused}");
    }
    let both = refusal(&[], &[("FLEET_KAFKA_LINGER_MS", "1"), ("FLEET_KAFKA_QUEUE_BUFFERING_MAX_MS", "2")]);
    assert_eq!(both, "FLEET_KAFKA_LINGER_MS and FLEET_KAFKA_QUEUE_BUFFERING_MAX_MS are both given: keep one");
}

const FROM: [&str; 4] = ["--smtp-from", "Fleet <fleet@example.org>", "--smtp-unsubscribe-url", "https://example.org/u"];

fn mail(url: &str) -> Result<smtp::Smtp, Fault> {
    let flags: Vec<&str> = ["--smtp-url", url].into_iter().chain(FROM).collect();
    config(&flags, &[]).map(|it| it.smtp.unwrap())
}

#[test]
fn no_mail_server_is_no_fault() {
    assert!(config(&[], &[]).unwrap().smtp.is_none());
}

#[test]
fn a_mail_server_is_its_place_its_safety_and_its_login() {
    let place = |url| mail(url).map(|it| (it.host, it.port, it.safety, it.login)).unwrap();
    let login = Some(("me@example.org".to_owned(), "a b:c".to_owned()));
    assert_eq!(
        place("smtps://me%40example.org:a%20b%3Ac@mail.example.org"),
        ("mail.example.org".to_owned(), 465, smtp::Safety::Tls, login)
    );
    assert_eq!(place("smtp+starttls://mail.example.org:2587/"), ("mail.example.org".to_owned(), 2587, smtp::Safety::StartTls, None));
    assert_eq!(place("smtp://[::1]:2525"), ("::1".to_owned(), 2525, smtp::Safety::Plain, None));
    assert_eq!(place("smtp://localhost").1, 25);
    let printed = format!("{:?}", mail("smtps://me:hunter2@mail.example.org").unwrap());
    assert!(printed.contains("smtps://me:***@mail.example.org") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn refuses_a_mail_server_that_cannot_be_used() {
    let refusal = |url| mail(url).unwrap_err().to_string();
    let clear = "leaves this machine in the clear: take smtps:// or smtp+starttls://";
    assert_eq!(refusal("smtp://u:hunter2@mail.example.org:25"), format!("FLEET_SMTP_URL: smtp://u:***@mail.example.org:25 {clear}"));
    assert_eq!(refusal("http://mail"), "FLEET_SMTP_URL: starts with http://, wants smtps:// or smtp+starttls:// or smtp://");
    assert!(refusal("smtps://u@mail").ends_with("has a name and no password"));
    assert!(refusal("smtps://:p@mail").ends_with("has a password and no name"));
    assert!(refusal("smtps://u:%ff@mail").ends_with("holds a name or password that is not UTF-8"));
    assert!(refusal("smtps://mail?tls=no").ends_with("has a path or parameters: it takes none"));
    assert!(refusal("smtps:").ends_with("names no host"));
}

#[test]
fn mail_wants_a_sender_and_a_way_out() {
    let url = ["--smtp-url", "smtps://mail"];
    assert!(refusal(&url, &[]).starts_with("FLEET_SMTP_UNSUBSCRIBE_URL: ") || refusal(&url, &[]).starts_with("FLEET_SMTP_FROM: "));
    let with = |more: &[&'static str]| refusal(&url.iter().chain(more).copied().collect::<Vec<_>>(), &[]);
    assert!(with(&FROM[2..]).starts_with("FLEET_SMTP_FROM: who mails are from is needed"));
    assert!(with(&FROM[..2]).starts_with("FLEET_SMTP_UNSUBSCRIBE_URL: where a person ends"));
    for (from, address) in
        [("a@example.org", "a@example.org"), ("Fleet ✓ <b@example.org> ", "b@example.org"), ("<c@example.org>", "c@example.org")]
    {
        let flags = [url[0], url[1], "--smtp-from", from, FROM[2], FROM[3]];
        assert_eq!(config(&flags, &[]).unwrap().smtp.unwrap().address.to_string(), address);
    }
    assert!(with(&["--smtp-from", "nobody", FROM[2], FROM[3]]).starts_with("FLEET_SMTP_FROM: not a mailbox"));
    assert!(with(&[FROM[0], FROM[1], "--smtp-unsubscribe-url", "http://x"]).starts_with("FLEET_SMTP_UNSUBSCRIBE_URL: starts with http://"));
}

#[test]
fn a_mail_servers_url_may_stand_in_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "smtps://u:hunter2@mail.example.org\n").unwrap();
    let flags: Vec<&str> = ["--smtp-url-file", file.path().to_str().unwrap()].into_iter().chain(FROM).collect();
    assert_eq!(config(&flags, &[]).unwrap().smtp.unwrap().login, Some(("u".to_owned(), "hunter2".to_owned())));
}
