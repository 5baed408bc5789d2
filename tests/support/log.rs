//! The spans and events of this process, by the test in which they happened.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::Debug,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, EnteredSpan, Id, Record},
};
use tracing_core::span::Current;

/// A span or an event.
#[derive(Clone, Debug)]
pub struct Entry {
    metadata: &'static Metadata<'static>,
    /// The span around it.
    parent: Option<usize>,
    pub fields: BTreeMap<&'static str, String>,
}

impl Entry {
    pub fn name(&self) -> &'static str {
        self.metadata.name()
    }

    pub fn level(&self) -> String {
        self.metadata.level().to_string().to_lowercase()
    }

    pub fn is_of_the_library(&self) -> bool {
        self.metadata.target() == "oauth_twin"
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value)
    }
}

/// Marks what is logged until the end of the scope.
pub fn marked(test: &'static str) -> EnteredSpan {
    static LISTENER: OnceLock<()> = OnceLock::new();
    LISTENER.get_or_init(|| {
        tracing::subscriber::set_global_default(Listener).expect("the only subscriber");
    });
    tracing::info_span!(target: "oauth_twin_test", "test", test).entered()
}

/// Entries that the library has logged in a test, or about a client with that name.
pub fn of(test: &str) -> Vec<Entry> {
    let all = entries();
    let is_marked = |entry: &&Entry| {
        let mut around = Some(*entry);
        while let Some(entry) = around {
            if [entry.field("test"), entry.field("client")].contains(&test) {
                return true;
            }
            around = entry.parent.map(|parent| &all[parent]);
        }
        false
    };
    let of_the_library = all.iter().filter(|entry| entry.is_of_the_library());
    of_the_library.filter(is_marked).cloned().collect()
}

/// All that was logged in this process, as text.
pub fn text() -> String {
    format!("{:#?}", *entries())
}

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The spans that were entered on this thread.
    static ENTERED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

struct Listener;

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

fn index(id: &Id) -> usize {
    usize::try_from(id.into_u64()).expect("an index") - 1
}

fn add(metadata: &'static Metadata<'static>, record: impl FnOnce(&mut Fields<'_>)) -> usize {
    let mut fields = BTreeMap::new();
    record(&mut Fields(&mut fields));
    let parent = ENTERED.with_borrow(|entered| entered.last().copied());
    let mut entries = entries();
    entries.push(Entry {
        metadata,
        parent,
        fields,
    });
    entries.len()
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("oauth_twin")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let added = add(span.metadata(), |fields| span.record(fields));
        Id::from_u64(u64::try_from(added).expect("an index"))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut entries()[index(span)].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        add(event.metadata(), |fields| event.record(fields));
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(index(span)));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            let at = entered.iter().rposition(|entered| *entered == index(span));
            entered.remove(at.expect("an entered span"));
        });
    }

    fn current_span(&self) -> Current {
        let current = ENTERED.with_borrow(|entered| entered.last().copied());
        current.map_or_else(Current::none, |at| {
            let id = u64::try_from(at + 1).expect("an index");
            Current::new(Id::from_u64(id), entries()[at].metadata)
        })
    }
}
