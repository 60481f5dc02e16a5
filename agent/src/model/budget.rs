//! How many label sets of each kind are shown by name; the lightest beyond that are one row,
//! `other`. All of them used up at once, with the peers and processes named by default, stay below
//! 25,000 series (tested in `expose::plan`).

/// Listeners.
pub const LISTENERS: usize = 80;
/// Peers whose times to first byte are told, per direction.
pub const RESPONSES: usize = 20;
/// Listeners whose waiting and serving is told: two histograms each.
pub const LISTENER_TURNS: usize = 12;
/// Lives of connections, per direction: two histograms each make them the dearest.
pub const SERVICES: usize = 22;
/// Failed attempts to connect.
pub const FAILURES: usize = 200;
/// Refused ports.
pub const REFUSED: usize = 60;
/// Pools of peers.
pub const UPSTREAMS: usize = 40;
/// Pairs of ends whose local ports are counted.
pub const PORT_USES: usize = 40;
/// Whose swap I/O is told.
pub const SWAPPERS: usize = 40;
/// Filesystems.
pub const FILESYSTEMS: usize = 32;
/// Disks: up to eight histograms each.
pub const DISKS: usize = 10;
/// Services at disks.
pub const DISK_SERVICES: usize = 10;
/// Groups of processes that wait for disks.
pub const DISK_PROCESSES: usize = 10;
/// Who asks which resolver.
pub const ASKERS: usize = 10;
/// Reasons of ends named in one group of processes; further ones are `other`.
pub const EXIT_REASONS: usize = 5;
/// Groups of processes whose descriptors are counted by type.
pub const FD_TYPES: usize = 20;
/// Limits of each resource.
pub const LIMITS: usize = 20;
/// Network interfaces.
pub const INTERFACES: usize = 16;
/// Containers and units whose waiting is shown.
pub const SERVICE_PRESSURES: usize = 20;
