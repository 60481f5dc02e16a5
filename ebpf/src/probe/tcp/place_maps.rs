// Included by each TCP object: maps cannot be shared between objects.

/// 1 for the own networks, 0 for what is cut out of them. IPv4 in its IPv6-mapped form.
#[btf_map]
static PLACE_NETWORKS: LpmTrie<[u8; 16], u32, OWN_NETWORKS> = LpmTrie::new();

/// Who listens, as of the last walk.
#[btf_map]
static PLACE_LISTENING: HashMap<ListenKey, u32, LISTENING, BPF_F_NO_PREALLOC> = HashMap::new();

/// Counts changes of [`PLACE_LISTENING`]; 0 until it was filled.
#[btf_map]
static PLACE_LISTENERS: Array<u32, 1> = Array::new();

impl tcp::place::Places for Maps {
    #[inline(always)]
    fn is_own(&self, address: [u8; 16]) -> bool {
        PLACE_NETWORKS.get(&Key::new(128, address)).copied() == Some(1)
    }

    #[inline(always)]
    fn listens(&self, key: &ListenKey) -> bool {
        PLACE_LISTENING.get_ptr(key).is_some()
    }

    #[inline(always)]
    fn listeners(&self) -> u32 {
        PLACE_LISTENERS.get(0).copied().unwrap_or(0)
    }
}
