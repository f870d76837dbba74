//! A schema registry of its own: ClickHouse's Kafka tables read no Avro without one. It knows the four families' schemas.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use touchstream_schemas::avro;
use touchstream_schemas::event::Family;

/// Id of a family's schema.
pub(crate) fn id_of(family: Family) -> u32 {
    Family::ALL.iter().zip(1..).find(|(other, _)| **other == family).map_or(0, |(_, id)| id)
}

/// Serves for as long as the program runs; tells its address.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    format!("http://{address}")
}

fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if request.is_empty() {
                request.clone_from(&line);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if std::io::Read::read_exact(&mut reader, &mut body).is_err() {
            return;
        }
        let family = Family::ALL
            .into_iter()
            .find(|family| request.contains(&format!("/schemas/ids/{}", id_of(*family))));
        let body = match family {
            Some(family) => serde_json::json!({ "schema": avro::of_family(family).json }).to_string(),
            // Registering: all that the sink registers is the key of rejected records.
            None => r#"{"id":9}"#.to_owned(),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if reader.get_mut().write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}
