//! An etcd of some members on this machine, for measurements and tests. It ends with its value.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For the members to find each other.
const START: Duration = Duration::from_secs(30);
/// Between two looks whether they have.
const LOOK: Duration = Duration::from_millis(50);
/// Of a member to say how it is.
const HEALTH: Duration = Duration::from_secs(1);
/// Bytes that may be kept: 10 million requests and their history.
const QUOTA: u64 = 8 << 30;

/// Where a member is to be.
#[derive(Debug, Clone)]
pub struct Place {
    /// Address on which the others and the clients reach it.
    pub address: String,
    /// What its command line begins with: `ip netns exec NAME`, or nothing.
    pub within: Vec<String>,
    /// For clients, and for the other members.
    pub ports: (u16, u16),
}

#[derive(Debug)]
struct Member {
    place: Place,
    child: Option<Child>,
}

#[derive(Debug)]
pub struct LocalEtcd {
    directory: PathBuf,
    members: Vec<Member>,
}

impl LocalEtcd {
    /// So many members on loopback, at ports that are free.
    pub fn start(directory: &Path, members: usize) -> io::Result<Self> {
        // All are held until all are known, or the same would be found twice.
        let listen = || TcpListener::bind("127.0.0.1:0");
        let held: Vec<_> =
            (0..members).map(|_| Ok((listen()?, listen()?))).collect::<io::Result<_>>()?;
        let place = |held: &(TcpListener, TcpListener)| {
            let ports = (held.0.local_addr()?.port(), held.1.local_addr()?.port());
            Ok(Place { address: "127.0.0.1".to_owned(), within: Vec::new(), ports })
        };
        let places = held.iter().map(place).collect::<io::Result<_>>()?;
        drop(held);
        Self::start_at(directory, places)
    }

    /// Members at these places, with their data below a directory. They are healthy when this
    /// comes back; to be called where their addresses can be reached.
    pub fn start_at(directory: &Path, places: Vec<Place>) -> io::Result<Self> {
        let etcd = Self::begin_at(directory, places)?;
        etcd.wait()?;
        Ok(etcd)
    }

    /// The same without waiting.
    pub fn begin_at(directory: &Path, places: Vec<Place>) -> io::Result<Self> {
        let members = places.into_iter().map(|place| Member { place, child: None }).collect();
        let mut etcd = Self { directory: directory.to_owned(), members };
        for index in 0..etcd.members.len() {
            etcd.start_member(index)?;
        }
        Ok(etcd)
    }

    /// Where clients find it.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|it| url(&it.place, it.place.ports.0)).collect()
    }

    /// Starts a member, for the first time or again.
    pub fn start_member(&mut self, index: usize) -> io::Result<()> {
        let name = |index: usize| format!("e{}", index + 1);
        let peers: Vec<String> = (self.members.iter().enumerate())
            .map(|(at, it)| format!("{}={}", name(at), url(&it.place, it.place.ports.1)))
            .collect();
        let place = &self.members[index].place;
        let (clients, others) = (url(place, place.ports.0), url(place, place.ports.1));
        let words: Vec<&str> = place.within.iter().map(String::as_str).chain(["etcd"]).collect();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join(format!("{}.log", name(index))))?;
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["--name", &name(index)]);
        command.arg("--data-dir").arg(self.directory.join(name(index)));
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        command.args(["--listen-peer-urls", &others, "--initial-advertise-peer-urls", &others]);
        command.args(["--initial-cluster", &peers.join(",")]);
        command.args(["--quota-backend-bytes", &QUOTA.to_string()]);
        // As `docs/store.md` recommends.
        command.args(["--heartbeat-interval", "50", "--election-timeout", "500", "--pre-vote"]);
        command.args(["--logger", "zap", "--log-level", "warn"]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.members[index].child = Some(command.spawn()?);
        Ok(())
    }

    /// Ends a member with no chance to say farewell.
    pub fn kill_member(&mut self, index: usize) {
        if let Some(mut child) = self.members[index].child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits until every member that runs knows a leader.
    pub fn wait(&self) -> io::Result<()> {
        let until = Instant::now() + START;
        for member in self.members.iter().filter(|it| it.child.is_some()) {
            while !is_healthy(&member.place) {
                if Instant::now() > until {
                    let why = format!("etcd does not get well: see {}", self.directory.display());
                    return Err(io::Error::other(why));
                }
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    }
}

impl Drop for LocalEtcd {
    fn drop(&mut self) {
        for index in 0..self.members.len() {
            self.kill_member(index);
        }
    }
}

fn url(place: &Place, port: u16) -> String {
    format!("http://{}:{port}", place.address)
}

/// As etcd says itself, at `/health`.
fn is_healthy(place: &Place) -> bool {
    let ask = || -> io::Result<String> {
        let mut stream = TcpStream::connect((place.address.as_str(), place.ports.0))?;
        stream.set_read_timeout(Some(HEALTH))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains(r#""health":"true""#))
}
