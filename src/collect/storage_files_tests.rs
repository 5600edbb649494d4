//! Tests of storage files: below tenants, with hostile names, missing and orphaned ones, attributes.

use std::path::PathBuf;

use super::*;

struct Store {
    dir: tempfile::TempDir,
    sink: ArtifactSink,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("to")).unwrap();
        std::fs::create_dir_all(dir.path().join("files")).unwrap();
        let sink = ArtifactSink::new(dir.path().join("to"));
        Self { dir, sink }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    fn put(&self, path: &str, content: &str) -> PathBuf {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join("to/storage").join(name)).unwrap_or_default()
    }

    fn take(&self, objects: &[Object]) -> (Vec<Option<String>>, FilesReport) {
        let mut files = Files::open(&self.root(), &["docs".into(), "pics".into()], &self.sink).unwrap();
        let taken = objects.iter().map(|o| files.take(o).unwrap()).collect();
        (taken, files.finish().unwrap())
    }
}

fn object(bucket: &str, name: &str, version: Option<&str>) -> Object {
    Object { bucket: bucket.into(), name: name.into(), version: version.map(Into::into), size: None }
}

#[test]
fn files_are_found_below_the_tenant_and_copied() {
    let store = Store::new();
    let file = store.put("stub/stub/docs/a/b.txt/v1", "hello");
    let _ = rustix::fs::setxattr(&file, "user.supabase.content-type", b"text/plain", rustix::fs::XattrFlags::empty());
    store.put("stub/stub/pics/old.png", "no version");
    let (taken, report) = store.take(&[object("docs", "a/b.txt", Some("v1")), object("pics", "old.png", None)]);
    assert_eq!(taken[0].as_deref(), Some("storage/files/docs/a/b.txt/v1"));
    assert_eq!((report.copied, report.missing, report.orphans), (2, 0, 0));
    assert_eq!(store.read("files/docs/a/b.txt/v1"), "hello");
    let (file, _) = folder::open_file(folder::open_root(file.parent().unwrap()).unwrap().as_fd(), c"v1").unwrap();
    if !attributes(&file).is_empty() {
        assert!(store.read("metadata.jsonl").contains("\"user.supabase.content-type\":\"text/plain\""));
    }
}

#[test]
fn hostile_names_lead_nowhere_and_long_ones_work() {
    let store = Store::new();
    store.put("secret/v", "canary");
    let long: String = "x".repeat(240) + "/" + &"é".repeat(120);
    store.put(&format!("t/docs/{long}/v"), "long");
    store.put("t/docs/new\nline/v", "nl");
    let (taken, report) = store.take(&[
        object("docs", "../../secret", Some("v")),
        object("..", "secret", Some("v")),
        object("docs", "x", Some("../../../secret/v")),
        object("docs", &long, Some("v")),
        object("docs", "new\nline", Some("v")),
        object("docs", &"y".repeat(1000), Some("v")),
    ]);
    assert_eq!(taken.iter().filter(|t| t.is_none()).count(), 4);
    assert_eq!((report.copied, report.missing), (2, 4));
    assert_eq!(taken[4].as_deref(), Some("storage/files/docs/new%0Aline/v"));
    assert_eq!(report.first_missing.as_deref(), Some("docs/%2E%2E/%2E%2E/secret"));
    assert!(
        store
            .sink
            .artifacts()
            .iter()
            .all(|a| !std::fs::read_to_string(store.sink.place(&a.path).unwrap()).unwrap().contains("canary"))
    );
    assert_eq!(store.read("missing.jsonl").lines().count(), 4);
}

#[test]
fn missing_orphaned_and_different_files_are_named() {
    let store = Store::new();
    store.put("docs/a/v2", "new");
    store.put("docs/a/v1", "old");
    store.put("docs/b/v1", "12345");
    std::os::unix::fs::symlink("/etc/passwd", store.root().join("docs/link")).unwrap();
    let short = Object { size: Some(99), ..object("docs", "b", Some("v1")) };
    let (taken, report) = store.take(&[
        object("docs", "a", Some("v2")),
        object("docs", "gone", Some("v1")),
        short,
        object("docs", "link", None),
    ]);
    assert_eq!(taken.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!((report.copied, report.missing, report.orphans), (1, 3, 1));
    let orphans: Value = serde_json::from_str(&store.read("orphans.json")).unwrap();
    assert_eq!(orphans[0]["path"], "docs/a/v1");
    assert!(store.read("missing.jsonl").contains("99"));
}

#[test]
fn two_tenants_are_not_mixed() {
    let store = Store::new();
    store.put("one/docs/a/v", "1");
    store.put("two/docs/a/v", "2");
    assert!(Files::open(&store.root(), &["docs".into()], &store.sink).is_err());
}

#[test]
fn two_objects_with_one_path_are_not_written_over() {
    let store = Store::new();
    store.put("docs/a/b", "x");
    let (taken, report) = store.take(&[object("docs", "a/b", None), object("docs", "a//b", None)]);
    assert!(taken[0].is_some() && taken[1].is_none());
    assert_eq!(report.missing, 1);
}
