//! Random sequences of events of the slots of a client, its children and its users.

mod events;
mod flights;
mod invariants;
mod users;
mod world;

use events::{Event, Reference};
use proptest::test_runner::Config;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use world::World;

prop_state_machine! {
    #![proptest_config(Config {
        cases: 25_000,
        failure_persistence: None,
        max_local_rejects: u32::MAX,
        ..Config::default()
    })]

    #[test]
    fn nothing_is_lost_doubled_or_left_behind(sequential 1..60 => Sequences);
}

/// Slots with a simulated server, store, hook and callers.
struct Sequences;

impl StateMachineTest for Sequences {
    type SystemUnderTest = World;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> World {
        World::new(reference)
    }

    fn apply(mut world: World, _: &Reference, event: Event) -> World {
        world.apply(event);
        world
    }

    fn check_invariants(world: &World, reference: &Reference) {
        assert_eq!(world.handles.len(), reference.handles);
        world.check();
    }

    fn teardown(world: World, _: Reference) {
        world.wind_up();
    }
}
