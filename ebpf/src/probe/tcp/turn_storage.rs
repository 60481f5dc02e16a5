// Included by the TCP object with socket storage: maps cannot be shared between objects.

/// What is remembered of the turns of each socket; not handed on to children.
#[repr(C)]
struct TurnStorage {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const tcp::turn::TurnState,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC],
}

// SAFETY: a declaration for the loader; programs only pass its address on.
unsafe impl Sync for TurnStorage {}

#[btf_map]
static TURNS: TurnStorage = TurnStorage {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};

#[expect(
    clippy::mut_from_ref,
    reason = "the value is outside the program; the kernel hands it out"
)]
impl TurnStorage {
    #[inline(always)]
    fn lookup(&self, sk: *const u8, flags: u32) -> Option<&mut tcp::turn::TurnState> {
        // SAFETY: `sk` is a socket known to the verifier; the value, once there, lives as long as
        // the socket, and programs touch it only under the socket's own lock.
        unsafe {
            bpf_sk_storage_get(
                core::ptr::from_ref(self).cast_mut().cast(),
                sk.cast_mut().cast(),
                core::ptr::null_mut(),
                u64::from(flags),
            )
            .cast::<tcp::turn::TurnState>()
            .as_mut()
        }
    }
}

impl tcp::turn::TurnMaps for Maps {
    type Groups = TurnGroups;

    #[inline(always)]
    fn groups(&self) -> &TurnGroups {
        &TurnGroups
    }

    #[inline(always)]
    fn turn(&self, sk: *const u8) -> Option<&mut tcp::turn::TurnState> {
        TURNS.lookup(sk, BPF_ANY)
    }

    #[inline(always)]
    fn create_turn(&self, sk: *const u8) -> Option<&mut tcp::turn::TurnState> {
        TURNS.lookup(sk, BPF_SK_STORAGE_GET_F_CREATE)
    }

    #[inline(always)]
    fn forget_turn(&self, _sk: *const u8) {}

    #[inline(always)]
    fn era(&self) -> u32 {
        turn_era()
    }

    #[inline(always)]
    fn cost(&self) -> Option<&mut TurnCost> {
        turn_cost()
    }
}
