//! The source route: the list of egress ports that a frame carries in its Ethernet addresses.
//!
//! | bytes | content |
//! |---|---|
//! | 0..3 | `02:53:4d`, which marks a pushed route |
//! | 3 | rank (bits 0..=2) and flags (bits 3..=7) |
//! | 4..6 | route bits 61..=46, big endian |
//! | 6 | route bits 45..=40, then U/L = 1, I/G = 0 |
//! | 7..12 | route bits 39..=0, big endian |
//!
//! A route is a sentinel 1 on top and below it one port number per remaining transit switch, the next one
//! in the lowest bits. Each switch knows the width of its own port numbers and nothing else of the route.

/// The number of a switch port, 1 to [`PortNumber::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PortNumber(u16);

impl PortNumber {
    /// The greatest port number; the port maps have one entry more.
    pub const MAX: u16 = 1023;

    /// A port number, or `None` for 0 and for numbers above [`PortNumber::MAX`].
    #[inline(always)]
    pub const fn new(number: u16) -> Option<Self> {
        if number == 0 || number > Self::MAX { None } else { Some(Self(number)) }
    }

    /// The number itself.
    #[inline(always)]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// How many bits a route spends on one port of a switch whose highest port number is this one.
    #[inline(always)]
    pub const fn width(self) -> u8 {
        (u16::BITS - self.0.leading_zeros()) as u8
    }
}

impl core::fmt::Display for PortNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a path among the ranked paths between two edge switches; 0 is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Rank(u8);

impl Rank {
    /// How many ranks two edge switches can have between them.
    pub const COUNT: usize = 8;
    /// The best path.
    pub const BEST: Self = Self(0);

    /// The rank `number` modulo [`Rank::COUNT`].
    #[inline(always)]
    pub const fn new(number: u8) -> Self {
        Self(number & (Self::COUNT as u8 - 1))
    }

    /// The number itself, below [`Rank::COUNT`].
    #[inline(always)]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A route would need more than [`Route::BITS`] bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteTooLong {
    /// How many bits it would need, the sentinel included.
    pub bits: u32,
}

/// The ports that a frame still has to leave through, or where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Route(u64);

impl Route {
    /// How many bits the Ethernet addresses leave for a route, the sentinel included.
    pub const BITS: u32 = 62;
    /// The route of a frame that has arrived at its last switch.
    pub const END: Self = Self(1);

    /// The route through the transit switches `hops`, first one first: the egress port at each and the
    /// width of that switch's port numbers. The last switch of a path is no transit switch.
    ///
    /// # Errors
    ///
    /// [`RouteTooLong`] if the widths add up to more than 61 bits.
    pub fn through<I>(hops: I) -> Result<Self, RouteTooLong>
    where
        I: IntoIterator<Item = (PortNumber, u8)>,
        I::IntoIter: DoubleEndedIterator,
    {
        let mut route = 1u64;
        let mut bits = 1u32;
        for (port, width) in hops.into_iter().rev() {
            bits += u32::from(width);
            if bits <= Self::BITS {
                route = route << width | u64::from(port.get());
            }
        }
        if bits <= Self::BITS { Ok(Self(route)) } else { Err(RouteTooLong { bits }) }
    }

    /// The route with these bits, of which only the lowest [`Route::BITS`] count.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// Sentinel and port numbers as they travel.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The next egress port at a switch whose port numbers are `width` bits wide, and the route that is
    /// left. `None` at the end of the route, and for a route that is no route of such a switch: too short,
    /// or port number 0.
    #[inline(always)]
    pub fn pop(self, width: u8) -> Option<(PortNumber, Self)> {
        let rest = self.0 >> (width & 15);
        let port = self.0 & ((1 << (width & 15)) - 1);
        if rest == 0 {
            return None;
        }
        Some((PortNumber::new(port as u16)?, Self(rest)))
    }

    /// The route that begins with the `length` bits of `prefix` and goes on with this one; `None` if it does not
    /// fit, or is no route.
    #[inline(always)]
    pub fn prepend(self, prefix: u64, length: u8) -> Option<Self> {
        let length = u32::from(length) & 63;
        if length >= Self::BITS || self.0 == 0 || self.0 >> (Self::BITS - length) != 0 {
            return None;
        }
        Some(Self(self.0 << length | prefix))
    }

    /// The port numbers of a route without the sentinel, and how many bits they have: what goes in front of
    /// another route.
    pub const fn as_prefix(self) -> (u64, u8) {
        let length = 63 - (self.0 | 1).leading_zeros();
        (self.0 & !(1 << length), length as u8)
    }
}

/// What travels beside the route: the rank of the path and how the frame is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Label(u8);

impl Label {
    const MOVED: u8 = 0x08;
    const ROUTED: u8 = 0x10;
    const DETOURED: u8 = 0x20;
    const PROBE: u8 = 0x40;
    const RETURNING: u8 = 0x80;

    /// The label of a probe on its way out.
    pub const OUTBOUND_PROBE: Self = Self(Self::PROBE);

    /// What stands for the label of a frame without one, that came over the base network: of no rank's path. It never
    /// travels, for no probe comes back that is none.
    pub const UNROUTED: Self = Self(Self::MOVED | Self::RETURNING);

    /// The label of a frame on the path of this rank; `routed` if the ingress edge forwarded it at layer 3,
    /// so that its source address at the far end is a router's.
    #[inline(always)]
    pub const fn new(rank: Rank, routed: bool) -> Self {
        Self(rank.get() | if routed { Self::ROUTED } else { 0 })
    }

    /// The label as it travels.
    #[inline(always)]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The label that travels as this byte.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The rank of the path.
    #[inline(always)]
    pub const fn rank(self) -> Rank {
        Rank::new(self.0)
    }

    /// Whether the path is another one than that of the subflow's own rank, which is down or did not answer.
    #[inline(always)]
    pub const fn is_moved(self) -> bool {
        self.0 & Self::MOVED != 0
    }

    /// The label of a frame that has moved to this rank, if `moved`.
    #[inline(always)]
    pub const fn moved(self, moved: bool) -> Self {
        Self(self.0 | if moved { Self::MOVED } else { 0 })
    }

    /// Whether the ingress edge forwarded the packet at layer 3.
    #[inline(always)]
    pub const fn is_routed(self) -> bool {
        self.0 & Self::ROUTED != 0
    }

    /// Whether it is [`Label::UNROUTED`].
    #[inline(always)]
    pub const fn is_unrouted(self) -> bool {
        self.0 & (Self::PROBE | Self::RETURNING) == Self::RETURNING
    }

    /// Whether the frame has left its path for a detour; it does so once.
    #[inline(always)]
    pub const fn is_detoured(self) -> bool {
        self.0 & Self::DETOURED != 0
    }

    /// The label of the same frame on a detour.
    #[inline(always)]
    pub const fn detoured(self) -> Self {
        Self(self.0 | Self::DETOURED)
    }

    /// Whether the frame is a probe: [`crate::wire::probe`].
    #[inline(always)]
    pub const fn is_probe(self) -> bool {
        self.0 & Self::PROBE != 0
    }

    /// Whether the frame is a probe that comes back.
    #[inline(always)]
    pub const fn is_returning(self) -> bool {
        self.0 & Self::RETURNING != 0
    }

    /// The label of the same probe on its way back.
    #[inline(always)]
    pub const fn returning(self) -> Self {
        Self(self.0 | Self::RETURNING)
    }
}

/// Label and route as they stand in place of a frame's two Ethernet addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushedRoute {
    /// Rank and flags.
    pub label: Label,
    /// The ports still to pass.
    pub route: Route,
}

impl PushedRoute {
    /// The first three bytes of the destination address of every frame with a pushed route.
    pub const PREFIX: u32 = 0x02_53_4d;
    /// U/L = 1 and I/G = 0 in the first byte of the source address.
    const LOCAL: u32 = 0x02;

    /// Reads a route from the two addresses of a frame, as three big-endian numbers; `None` if no route was
    /// pushed.
    #[inline(always)]
    pub const fn parse([w0, w1, w2]: [u32; 3]) -> Option<Self> {
        if w0 >> 8 != Self::PREFIX {
            return None;
        }
        let high = (w1 >> 16) as u64;
        let (middle, low) = ((w1 >> 10 & 0x3f) as u64, (w1 & 0xff) as u64);
        let bits = high << 46 | middle << 40 | low << 32 | w2 as u64;
        Some(Self { label: Label(w0 as u8), route: Route(bits) })
    }

    /// The three big-endian numbers that replace a frame's Ethernet addresses.
    #[inline(always)]
    pub const fn words(self) -> [u32; 3] {
        let bits = self.route.0;
        let first = ((bits >> 40 & 0x3f) as u32) << 10 | Self::LOCAL << 8;
        [
            Self::PREFIX << 8 | self.label.0 as u32,
            ((bits >> 46) as u32) << 16 | first | (bits >> 32) as u32 & 0xff,
            bits as u32,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn port(number: u16) -> PortNumber {
        PortNumber::new(number).unwrap()
    }

    #[test]
    fn bytes_are_those_of_the_design() {
        let route = Route::through([(port(2), 2), (port(3), 2)]).unwrap();
        assert_eq!(route.bits(), 0b1_11_10);
        let pushed = PushedRoute { label: Label::new(Rank::new(5), true), route };
        assert_eq!(pushed.words(), [0x0253_4d15, 0x0000_0200, 0b1_11_10]);
    }

    #[test]
    fn a_full_route_uses_all_62_bits() {
        let pushed = PushedRoute { label: Label::new(Rank::BEST, false), route: Route(u64::MAX >> 2) };
        assert_eq!(pushed.words(), [0x0253_4d00, 0xffff_feff, 0xffff_ffff]);
        assert_eq!(PushedRoute::parse(pushed.words()), Some(pushed));
    }

    #[test]
    fn a_line_of_twenty_three_port_switches_fits_and_thirty_one_do_not() {
        assert!(Route::through([(port(3), 2); 30]).is_ok());
        assert_eq!(Route::through([(port(3), 2); 31]), Err(RouteTooLong { bits: 63 }));
    }

    #[test]
    fn a_foreign_route_pops_nothing() {
        assert_eq!(Route::END.pop(2), None);
        assert_eq!(Route::from_bits(0b100).pop(2), None, "port number 0");
        assert_eq!(Route::from_bits(0b11).pop(2), None, "fewer bits than a port number");
        assert_eq!(Route::from_bits(0).pop(2), None, "no sentinel");
    }

    #[test]
    fn widths_are_the_bits_of_the_highest_port() {
        for (highest, width) in [(1, 1), (2, 2), (3, 2), (4, 3), (48, 6), (1023, 10)] {
            assert_eq!(port(highest).width(), width, "{highest}");
        }
    }

    proptest! {
        #[test]
        fn popping_gives_the_ports_that_were_pushed(
            hops in proptest::collection::vec((1u16..64, 0u8..3), 0..8), rank in 0u8..8, routed: bool,
        ) {
            let hops: Vec<_> = hops.iter().map(|&(p, extra)| (port(p), port(p).width() + extra)).collect();
            let route = Route::through(hops.iter().copied()).unwrap();
            let label = Label::new(Rank::new(rank), routed);
            let mut frame = PushedRoute { label, route }.words();
            prop_assert_eq!(frame[1] >> 8 & 3, 2, "locally administered, individual");
            for &(port, width) in &hops {
                let PushedRoute { label, route } = PushedRoute::parse(frame).unwrap();
                let (next, rest) = route.pop(width).unwrap();
                prop_assert_eq!(next, port);
                frame = PushedRoute { label, route: rest }.words();
            }
            prop_assert_eq!(PushedRoute::parse(frame), Some(PushedRoute { label, route: Route::END }));
        }

        #[test]
        fn a_prefix_is_popped_before_the_rest(
            prefix in proptest::collection::vec(1u16..64, 0..8), rest in proptest::collection::vec(1u16..64, 0..8),
        ) {
            let hops = |ports: &[u16]| -> Vec<_> { ports.iter().map(|&p| (port(p), 6)).collect() };
            let whole = Route::through(hops(&[&prefix[..], &rest[..]].concat())).ok();
            let (bits, length) = Route::through(hops(&prefix)).unwrap().as_prefix();
            prop_assert_eq!(Route::through(hops(&rest)).unwrap().prepend(bits, length), whole);
        }

        #[test]
        fn every_route_survives_the_wire(bits in 0u64..1 << 62, rank in 0u8..8) {
            let pushed = PushedRoute { label: Label::new(Rank::new(rank), false), route: Route(bits) };
            prop_assert_eq!(PushedRoute::parse(pushed.words()), Some(pushed));
        }
    }

    extern crate std;
    use std::vec::Vec;
}
