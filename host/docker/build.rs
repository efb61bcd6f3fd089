//! Writes the tables of `data/` as Rust: the daemon's routes, and the shapes of the JSON bodies.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::{env, fs, path::Path};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// The body of a container create, and the structure whose members old daemons also read at its root.
const CREATE: &str = "ContainerCreateBody";
const HOST_CONFIG: &str = "container.HostConfig";

#[derive(serde::Deserialize)]
struct Bodies {
    operations: Ordered<String>,
    structs: Ordered<Ordered<String>>,
    legacy_fields: Ordered<Ordered<String>>,
}

/// A JSON object in the order of the file, which is the order in which clients write members.
struct Ordered<T>(Vec<(String, T)>);

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=data");
    let bodies: Bodies = serde_json::from_str(&fs::read_to_string("data/bodies.json")?)?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("shapes.rs"), shapes(&bodies)?)?;
    fs::write(Path::new(&out).join("routes.rs"), routes(&fs::read_to_string("data/operations.tsv")?, &bodies)?)?;
    Ok(())
}

fn shapes(bodies: &Bodies) -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    for (name, fields) in &bodies.structs.0 {
        writeln!(out, "pub(crate) static {}: Structure = Structure {{ name: {name:?}, fields: &[", identifier(name))?;
        for (field, kind) in fields.0.iter().chain(bodies.legacy_fields.of(name)) {
            writeln!(out, "    {},", field_of(name, field, kind, false)?)?;
        }
        if name == CREATE {
            let host_config = bodies.structs.of(HOST_CONFIG).chain(bodies.legacy_fields.of(HOST_CONFIG));
            for (field, kind) in host_config {
                writeln!(out, "    {},", field_of(HOST_CONFIG, field, kind, true)?)?;
            }
            writeln!(out, "    {},", field_of(name, "Cpuset", "string", true)?)?;
        }
        writeln!(out, "] }};")?;
    }
    writeln!(out, "/// Every structure, for the tests.")?;
    let all: Vec<String> = bodies.structs.0.iter().map(|(name, _)| format!("&{}", identifier(name))).collect();
    writeln!(out, "#[cfg(test)]\npub(crate) static ALL: &[&Structure] = &[{}];", all.join(", "))?;
    Ok(out)
}

/// A member of a structure as an expression.
fn field_of(structure: &str, name: &str, kind: &str, stray: bool) -> Result<String, Box<dyn Error>> {
    let counted = counted(structure, name).map_or("None".to_owned(), |what| format!("Some(Counted::{what})"));
    Ok(format!("Field {{ name: {name:?}, shape: {}, stray: {stray}, counted: {counted} }}", shape(kind)?))
}

/// What the items of a member are in a view. `rules/size.rs` counts some of them again when all of a body is read.
fn counted(structure: &str, field: &str) -> Option<&'static str> {
    let what = match (structure, field) {
        (CREATE, "Volumes") | (HOST_CONFIG, "Binds" | "Mounts" | "VolumesFrom" | "Tmpfs") => "Mounts",
        ("swarm.ContainerSpec", "Mounts") => "Mounts",
        (HOST_CONFIG, "Devices" | "DeviceRequests" | "DeviceCgroupRules") => "Devices",
        (HOST_CONFIG, "SecurityOpt" | "MaskedPaths" | "ReadonlyPaths") => "SecurityOptions",
        (HOST_CONFIG, "CapAdd" | "CapDrop" | "Capabilities") => "Capabilities",
        ("swarm.ContainerSpec", "CapabilityAdd" | "CapabilityDrop") => "Capabilities",
        ("network.NetworkingConfig", "EndpointsConfig") => "Networks",
        ("swarm.TaskSpec" | "swarm.ServiceSpec", "Networks") => "Networks",
        (CREATE, "ExposedPorts") | (HOST_CONFIG, "PortBindings") | ("swarm.EndpointSpec", "Ports") => "Ports",
        _ => return counted_of_few(structure, field),
    };
    Some(what)
}

/// The same for views that few policies ask for.
fn counted_of_few(structure: &str, field: &str) -> Option<&'static str> {
    let what = match (structure, field) {
        (_, "Labels") | (HOST_CONFIG, "Annotations") => "Labels",
        (_, "Env") | ("swarm.RuntimeSpec", "env") => "Environment",
        (HOST_CONFIG, "StorageOpt")
        | ("container.LogConfig", "Config")
        | ("network.EndpointSettings" | "swarm.NetworkAttachmentConfig", "DriverOpts")
        | ("network.CreateRequest" | "network.IPAM" | "swarm.Driver" | "swarm.ExternalCA", "Options")
        | ("container.DeviceRequest", "Options")
        | ("network.IPAMConfig", "AuxiliaryAddresses") => "Options",
        (HOST_CONFIG | "container.UpdateConfig" | "swarm.ContainerSpec", "Ulimits")
        | (HOST_CONFIG | "container.UpdateConfig", "BlkioWeightDevice")
        | (HOST_CONFIG | "container.UpdateConfig", "BlkioDeviceReadBps" | "BlkioDeviceWriteBps")
        | (HOST_CONFIG | "container.UpdateConfig", "BlkioDeviceReadIOps" | "BlkioDeviceWriteIOps")
        | ("swarm.Resources", "GenericResources") => "Limits",
        (HOST_CONFIG, "GroupAdd" | "ExtraHosts" | "Dns" | "Links")
        | ("swarm.ContainerSpec", "Groups" | "Hosts")
        | ("swarm.DNSConfig", "Nameservers")
        | ("container.DeviceRequest", "DeviceIDs" | "Capabilities")
        | ("network.EndpointSettings", "Aliases" | "Links")
        | ("network.EndpointIPAMConfig", "LinkLocalIPs")
        | ("swarm.NetworkAttachmentConfig", "Aliases")
        | ("network.IPAM", "Config")
        | ("swarm.JoinRequest", "RemoteAddrs")
        | ("swarm.InitRequest", "DefaultAddrPool")
        | ("swarm.CAConfig", "ExternalCAs")
        | ("swarm.Placement", "Constraints")
        | ("plugin.Privilege", "Value")
        | ("swarm.RuntimePrivilege", "value")
        | ("swarm.RuntimeSpec", "privileges") => "Names",
        ("swarm.ContainerSpec", "Secrets" | "Configs") => "References",
        _ => return None,
    };
    Some(what)
}

/// `list<struct:mount.Mount>` as an expression.
fn shape(kind: &str) -> Result<String, Box<dyn Error>> {
    let inner = |start: &str| kind.strip_prefix(start).and_then(|rest| rest.strip_suffix('>'));
    Ok(match kind {
        "any" => "Shape::Any".to_owned(),
        "bool" => "Shape::Boolean".to_owned(),
        "string" => "Shape::Text".to_owned(),
        "base64" => "Shape::Base64".to_owned(),
        "float32" => "Shape::Float32".to_owned(),
        "strslice" => "Shape::Texts".to_owned(),
        "int" | "int64" => "Shape::Integer(Integer::I64)".to_owned(),
        "uint" | "uint64" => "Shape::Integer(Integer::U64)".to_owned(),
        "uint32" => "Shape::Integer(Integer::U32)".to_owned(),
        "uint16" => "Shape::Integer(Integer::U16)".to_owned(),
        // The only list of `uint` is a console's size, which Go holds in an array of two.
        "list<uint>" => "Shape::Pair(&Shape::Integer(Integer::U64))".to_owned(),
        _ if kind.starts_with("custom:") => "Shape::Text".to_owned(),
        _ => match (kind.strip_prefix("struct:"), inner("list<"), inner("map<")) {
            (Some(name), _, _) => format!("Shape::Structure(&{})", identifier(name)),
            (_, Some(item), _) => format!("Shape::List(&{})", shape(item)?),
            (_, _, Some(value)) => format!("Shape::Map(&{})", shape(value)?),
            _ => return Err(format!("data/bodies.json: unknown kind `{kind}`").into()),
        },
    })
}

fn routes(table: &str, bodies: &Bodies) -> Result<String, Box<dyn Error>> {
    let mut out = "pub static OPERATIONS: &[Operation] = &[\n".to_owned();
    for line in table.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let &[id, method, path, access, body, since, query] = columns.as_slice() else {
            return Err(format!("data/operations.tsv: `{line}` has not seven columns").into());
        };
        let any_type = body == "json-untyped";
        let body = match (body, bodies.operations.0.iter().find(|(operation, _)| operation == id)) {
            ("json" | "json-untyped", Some((_, kind))) => format!("Body::Json({})", shape_from_routes(kind)?),
            ("tar", None) => "Body::Tar".to_owned(),
            ("import", None) => "Body::Import".to_owned(),
            ("credentials", Some((_, kind))) => format!("Body::Credentials({})", shape_from_routes(kind)?),
            ("parameters", None) => "Body::Parameters".to_owned(),
            ("none", None) => "Body::None".to_owned(),
            _ => return Err(format!("data/operations.tsv: body `{body}` of {id} does not fit data/bodies.json").into()),
        };
        let access = if access == "read" { "Read" } else { "Write" };
        writeln!(
            out,
            "    Operation {{ id: {id:?}, method: {method:?}, path: &[{}], access: Access::{access}, body: {body}, any_type: {any_type}, since: {}, query: {} }},",
            pieces(path).join(", "),
            version(since)?,
            parameters(query),
        )?;
    }
    out.push_str("];\n");
    Ok(out)
}

/// `1.24`, or `-` for none, as an expression.
fn version(since: &str) -> Result<String, Box<dyn Error>> {
    if since == "-" {
        return Ok("None".to_owned());
    }
    let (major, minor) =
        since.split_once('.').ok_or_else(|| format!("data/operations.tsv: `{since}` is no version"))?;
    Ok(format!("Some(ApiVersion::new({major}, {minor}))"))
}

/// `name,t*` as an expression.
fn parameters(query: &str) -> String {
    let names: Vec<&str> = query.split(',').filter(|name| *name != "-").collect();
    let first: Vec<&str> = names.iter().copied().filter(|name| !name.ends_with('*')).collect();
    let every: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix('*')).collect();
    format!("Query::Known {{ first: &{first:?}, every: &{every:?} }}")
}

fn shape_from_routes(kind: &str) -> Result<String, Box<dyn Error>> {
    Ok(shape(kind)?.replace("Structure(&", "Structure(&shapes::"))
}

/// `/networks/{id:.+}` as the pieces that a matcher needs.
fn pieces(path: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = path;
    while let Some((literal, parameter, tail)) = rest
        .split_once('{')
        .and_then(|(literal, rest)| rest.split_once('}').map(|(inside, tail)| (literal, inside, tail)))
    {
        pieces.push(format!("Piece::Literal({literal:?})"));
        pieces.push(match parameter.split_once(':') {
            Some((name, pattern)) => {
                format!("Piece::Rest {{ name: {name:?}, least: {} }}", usize::from(pattern == ".+"))
            }
            None => format!("Piece::Segment({parameter:?})"),
        });
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(format!("Piece::Literal({rest:?})"));
    }
    pieces
}

fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

// === impl Ordered ===

impl Ordered<Ordered<String>> {
    fn of(&self, name: &str) -> impl Iterator<Item = &(String, String)> {
        self.0.iter().filter(move |(other, _)| other == name).flat_map(|(_, fields)| &fields.0)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Ordered(all))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}
