//! Users and groups of this system.
//!
//! Invariant: only `/etc/passwd` and `/etc/group` are read. Accounts of a directory service are not in them, so an
//! account that is not listed counts as unknown.

/// One line of `/etc/passwd`.
#[derive(Debug, Clone)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

/// One line of `/etc/group`.
#[derive(Debug, Clone)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// The users and groups that the two files list.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
}

impl Accounts {
    pub fn of_system() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/etc/passwd"), &read("/etc/group"))
    }

    pub fn parse(passwd: &str, group: &str) -> Self {
        let fields = |line: &str| line.split(':').map(str::to_string).collect::<Vec<_>>();
        let users = passwd.lines().map(fields).filter_map(|f| {
            Some(User { name: f.first()?.clone(), uid: f.get(2)?.parse().ok()?, gid: f.get(3)?.parse().ok()? })
        });
        let groups = group.lines().map(fields).filter_map(|f| {
            let members = f.get(3).map_or("", String::as_str).split(',').map(str::trim).filter(|m| !m.is_empty());
            let members = members.map(str::to_string).collect();
            Some(Group { name: f.first()?.clone(), gid: f.get(2)?.parse().ok()?, members })
        });
        Self { users: users.collect(), groups: groups.collect() }
    }

    /// The primary group of a listed user.
    pub fn own_group(&self, uid: u32) -> Option<u32> {
        self.users.iter().find(|user| user.uid == uid).map(|user| user.gid)
    }

    /// All users in a group, by their primary group or as a member; `None` for a member who is not in `/etc/passwd`.
    pub fn members(&self, gid: u32) -> impl Iterator<Item = Option<u32>> {
        let primary = self.users.iter().filter(move |user| user.gid == gid).map(|user| Some(user.uid));
        let named = self.groups.iter().filter(move |group| group.gid == gid).flat_map(|group| &group.members);
        primary.chain(named.map(|name| self.users.iter().find(|user| user.name == *name).map(|user| user.uid)))
    }

    /// `ann (uid 1000)`
    pub fn show_user(&self, uid: u32) -> String {
        match self.users.iter().find(|user| user.uid == uid) {
            Some(user) => format!("{} (uid {uid})", user.name.escape_default()),
            None => format!("uid {uid}"),
        }
    }

    /// `the group dev (gid 1002)`
    pub fn show_group(&self, gid: u32) -> String {
        match self.groups.iter().find(|group| group.gid == gid) {
            Some(group) => format!("the group {} (gid {gid})", group.name.escape_default()),
            None => format!("the group with gid {gid}"),
        }
    }
}
