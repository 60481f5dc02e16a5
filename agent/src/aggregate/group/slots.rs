//! Values under small stable numbers.

/// A vector with holes that are used again.
#[derive(Debug)]
pub(in crate::aggregate) struct Slots<T> {
    items: Vec<Option<T>>,
    holes: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            holes: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Puts `item` into a free slot; its number.
    pub fn insert(&mut self, item: T) -> u32 {
        if let Some(id) = self.holes.pop()
            && let Some(slot) = self.items.get_mut(id as usize)
        {
            *slot = Some(item);
            return id;
        }
        self.items.push(Some(item));
        (self.items.len() - 1) as u32
    }

    /// Takes an item out; its number may be given to another.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let item = self.items.get_mut(id as usize)?.take();
        if item.is_some() {
            self.holes.push(id);
        }
        item
    }

    /// The item under a number.
    #[inline]
    pub fn get(&self, id: u32) -> Option<&T> {
        self.items.get(id as usize)?.as_ref()
    }

    /// The item under a number.
    #[inline]
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.items.get_mut(id as usize)?.as_mut()
    }

    /// All items.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().flatten()
    }

    /// All items with their numbers.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        let numbered = (0u32..).zip(&mut self.items);
        numbered.filter_map(|(id, item)| Some((id, item.as_mut()?)))
    }

    /// Number of items.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.items.len() - self.holes.len()
    }

    /// Closes the holes once they are most of it: the new number of each old one, or `None` if
    /// nothing moved.
    pub fn compact(&mut self) -> Option<Vec<u32>> {
        let len = self.items.len() - self.holes.len();
        if self.items.len() < 1024 || len > self.items.len() / 4 {
            return None;
        }
        let mut moved = vec![u32::MAX; self.items.len()];
        let mut kept = Vec::with_capacity(len * 2);
        for (old, item) in moved.iter_mut().zip(self.items.drain(..)) {
            if item.is_some() {
                *old = kept.len() as u32;
                kept.push(item);
            }
        }
        self.items = kept;
        self.holes = Vec::new();
        Some(moved)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn numbers_are_used_again_and_holes_closed() {
        let mut slots = Slots::default();
        let ids: Vec<u32> = (0..4_000u32).map(|item| slots.insert(item)).collect();
        assert_eq!(slots.remove(ids[5]), Some(5));
        assert_eq!(slots.remove(ids[5]), None);
        assert_eq!(slots.insert(7_777), ids[5]);
        assert!(slots.compact().is_none());
        for &id in ids.iter().filter(|&&id| id % 100 != 0) {
            slots.remove(id);
        }
        let moved = slots.compact().unwrap();
        assert_eq!(slots.len(), 40);
        assert_eq!(slots.get(moved[3_900]), Some(&3_900));
        assert_eq!(moved[1], u32::MAX);
        assert!(slots.compact().is_none());
    }
}
