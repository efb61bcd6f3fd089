//! Callers who take up room: so many places, so much time, and others are answered meanwhile.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use portcullis_tests::admin::Door;
use portcullis_tests::http::{self, Connection};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Result, wait};

use super::{ROOT, ask, host, io, tokens};

/// Connections from one address, and in all.
const OF_ONE: usize = 32;
const IN_ALL: usize = 256;
/// What a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// The first bytes of a TLS record, of which no more come.
fn half_a_handshake(door: &Door) -> Result<TcpStream> {
    let mut stream = door.knock()?;
    stream.write_all(&[0x16, 3, 1, 2, 0, 1]).map_err(io)?;
    Ok(stream)
}

/// Waits until the host closes it.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 256];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            // An alert.
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn slow_handshakes_and_heads_keep_nobody_else_out_and_come_to_an_end() -> Result<()> {
    let authority = Authority::new()?;
    let (_host, door) = host(&authority, &tokens())?;
    let slow = door.from(address(2));
    let mut handshakes: Vec<_> = (0..OF_ONE).map(|_| half_a_handshake(&slow)).collect::<Result<_>>()?;
    let slow = door.from(address(3));
    let mut heads: Vec<Connection> = Vec::new();
    for _ in 0..OF_ONE {
        let mut connection = slow.connect()?;
        connection.write(b"GET /v1/status HTTP/1.1\r\nHost: a\r\nX-Slow: ")?;
        heads.push(connection);
    }
    assert_eq!(ask(&door, "GET", "/v1/status", ROOT)?.status, 200, "others are answered meanwhile");
    assert!(slow.connect().is_err(), "one more of an address that has all its places is closed");
    assert!(handshakes.iter_mut().all(is_closed), "a handshake has its time");
    for head in &mut heads {
        // 408 or nothing, and then the end.
        let answer = head.read();
        assert!(answer.as_ref().map_or(true, |answer| answer.status == 408), "{answer:?}");
    }
    assert_eq!(ask(&slow, "GET", "/v1/status", ROOT)?.status, 200, "their places are free again");
    Ok(())
}

/// Takes every place, and says whether one more waited while nobody had lost his.
fn fill_and_knock(door: &Door) -> Result<bool> {
    let began = Instant::now();
    let mut crowd = Vec::new();
    for last in 10..10 + u8::try_from(IN_ALL / OF_ONE).unwrap_or_default() {
        let door = door.from(address(last));
        for _ in 0..OF_ONE {
            crowd.push(half_a_handshake(&door)?);
        }
    }
    // The host has no place for it: it waits in the kernel's queue, and is not lost.
    let mut waiting = door.knock()?;
    waiting.set_read_timeout(Some(Duration::from_millis(200))).map_err(io)?;
    waiting.write_all(b"not TLS").map_err(io)?;
    let waits = waiting.read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    // On a busy machine, the first has lost its place before the last has come.
    let is_shown = began.elapsed() < HANDSHAKE;
    assert!(waits || !is_shown, "one more than there are places was answered");
    Ok(is_shown)
}

#[test]
fn connections_are_bounded_and_the_unix_socket_has_its_own() -> Result<()> {
    let authority = Authority::new()?;
    let (host, door) = host(&authority, &tokens())?;
    wait::until("a full house", wait::DEADLINE, || fill_and_knock(&door).ok()?.then_some(()))?;
    let local = http::send(&host.config().admin_socket(), &http::request("GET", "/v1/status", &[], b""))?;
    assert_eq!(local.status, 200);
    // Who says nothing loses its place.
    assert_eq!(ask(&door, "GET", "/v1/status", ROOT)?.status, 200);
    Ok(())
}
