//! Checks with the server's own parser whether two texts of a definition mean the same.
//!
//! Deparsing is not stable (trap 27): recreated from its own text, `x IN ('a','b')` on a varchar is deparsed
//! differently, and every major version prints queries in its own way. Two expressions are equal if the parser, given
//! both texts in the same context, shows one text. Each text is turned into a temporary view (a rule, a function) that
//! is rolled back; nothing of it is ever executed.
//!
//! Invariant: in doubt two texts differ: a text that cannot be recreated equals nothing. Objects of the database are
//! only referenced, never changed, and nothing remains afterwards. A text that could end its statement is never sent.

mod remake;

use crate::model::object_kind::ObjectKind;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Mutex;

use super::session::Session;
use crate::model::deparsed::expressions::{Form, expressions};
use crate::model::failure::Result;
use crate::model::inventory::{CatalogObject, Inventory};
use remake::{Text, remade};

/// Pairs of texts found to be equal, so that a restore that reads its target several times asks only once.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashSet<[String; 4]>>);

/// The transaction in which the parser is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// The session has an open read-write transaction.
    Transaction,
    /// The session has none: one is started and rolled back.
    Nothing,
}

/// Maximum rounds of recreating a text: the deparse of a text that came from a deparse is stable.
const ROUNDS_MAX: usize = 3;
/// Number of expressions per message.
const BATCH: usize = 50;

/// One expression whose texts differ between the sides.
#[derive(Debug, Clone)]
struct Question {
    /// Index in `live`.
    object: usize,
    /// Range of the live text in its definition.
    range: Range<usize>,
    wanted: Text,
    found: Text,
}

/// Replaces each expression of `live` that means the same as in `wanted` by the text of `wanted`. Returns the number.
///
/// # Errors
/// A lost connection. A text that the server cannot recreate stays as it is; so do all texts if the server allows no
/// temporary objects (a standby, a missing privilege).
pub async fn align_with(
    session: &Session,
    wanted: &Inventory,
    live: &mut Inventory,
    within: Within,
    known: &Known,
) -> Result<usize> {
    let mut questions = questions(&wanted.objects, &live.objects);
    if questions.is_empty() {
        return Ok(0);
    }
    let key = |q: &Question| {
        let object = &live.objects[q.object];
        [object.kind.to_string(), object.identity.clone(), q.wanted.text.clone(), q.found.text.clone()]
    };
    let is_known = |q: &Question| known.0.lock().is_ok_and(|all| all.contains(&key(q)));
    let (mut same, open): (Vec<Question>, Vec<Question>) = questions.drain(..).partition(is_known);
    let answered = asked(session, open, within).await?;
    if let Ok(mut all) = known.0.lock() {
        all.extend(answered.iter().map(key));
    }
    same.extend(answered);
    let count = same.len();
    write_wanted(&mut live.objects, same);
    Ok(count)
}

/// Whether any expression has to be checked.
pub fn is_open(wanted: &Inventory, live: &Inventory) -> bool {
    !questions(&wanted.objects, &live.objects).is_empty()
}

/// The expressions whose texts differ, of objects that exist on both sides.
fn questions(wanted: &[CatalogObject], live: &[CatalogObject]) -> Vec<Question> {
    type Key<'a> = (ObjectKind, &'a str, Option<&'a str>);
    fn key(object: &CatalogObject) -> Key<'_> {
        (object.kind, &object.identity, object.schema.as_deref())
    }
    let by_key: BTreeMap<Key<'_>, &CatalogObject> = wanted.iter().map(|o| (key(o), o)).collect();
    let mut found = Vec::new();
    for (number, object) in live.iter().enumerate() {
        let Some(other) = by_key.get(&key(object)).filter(|other| other.definition != object.definition) else {
            continue;
        };
        let theirs = expressions(other);
        for expression in expressions(object) {
            let Some(their) = theirs.iter().find(|e| e.key == expression.key) else { continue };
            let wanted = &other.definition[their.range.clone()];
            let text = &object.definition[expression.range.clone()];
            if wanted == text || !alike(&their.form, &expression.form) {
                continue;
            }
            found.push(Question {
                object: number,
                range: expression.range,
                wanted: Text { form: their.form.clone(), text: wanted.to_string() },
                found: Text { form: expression.form, text: text.to_string() },
            });
        }
    }
    found
}

/// Whether two expressions have the same context. The texts of two routines' arguments may differ.
fn alike(a: &Form, b: &Form) -> bool {
    match (a, b) {
        (Form::Arguments(a) | Form::Body(a), Form::Arguments(b) | Form::Body(b)) => {
            (&a.name, &a.result, &a.language) == (&b.name, &b.result, &b.language)
        }
        // The queries are compared as expressions of their own.
        (Form::ColumnType { number: a, .. }, Form::ColumnType { number: b, .. }) => a == b,
        _ => a == b,
    }
}

/// Those of the questions whose two texts mean the same.
async fn asked(session: &Session, questions: Vec<Question>, within: Within) -> Result<Vec<Question>> {
    if questions.is_empty() {
        return Ok(questions);
    }
    if within == Within::Nothing {
        session.execute("BEGIN").await?;
        silence_event_triggers(session).await?;
    }
    let same = same(session, questions).await;
    if within == Within::Nothing && !session.is_closed() {
        session.execute("ROLLBACK").await?;
    }
    same
}

/// If the role may do so: event triggers must not fire for our temporary objects.
async fn silence_event_triggers(session: &Session) -> Result<()> {
    session.execute("SAVEPOINT stacksnap_meaning").await?;
    if session.execute("SET LOCAL session_replication_role = replica").await.is_err() {
        session.execute("ROLLBACK TO SAVEPOINT stacksnap_meaning").await?;
    }
    Ok(())
}

async fn same(session: &Session, questions: Vec<Question>) -> Result<Vec<Question>> {
    if !remake::may_make(session).await? {
        return Ok(Vec::new());
    }
    let texts = |of: fn(&Question) -> &Text| questions.iter().map(|q| Some(of(q).clone())).collect::<Vec<_>>();
    let (mut left, mut right) = (texts(|q| &q.wanted), texts(|q| &q.found));
    let mut is_same = vec![false; questions.len()];
    for _ in 0..ROUNDS_MAX {
        let open: Vec<usize> =
            (0..questions.len()).filter(|n| !is_same[*n] && left[*n].is_some() && right[*n].is_some()).collect();
        if open.is_empty() {
            break;
        }
        for chunk in open.chunks(BATCH) {
            let pairs = chunk.iter().flat_map(|n| [left[*n].clone(), right[*n].clone()]).flatten().collect();
            let made = remade(session, pairs).await?;
            for (n, pair) in chunk.iter().zip(made.chunks(2)) {
                (left[*n], right[*n]) = (pair[0].clone(), pair[1].clone());
                is_same[*n] = matches!((&pair[0], &pair[1]), (Some(a), Some(b)) if a.text == b.text);
            }
        }
    }
    Ok(questions.into_iter().zip(is_same).filter(|(_, same)| *same).map(|(q, _)| q).collect())
}

/// Replaces the live texts by the wanted ones, from the end of each definition to its start so that ranges stay valid.
fn write_wanted(live: &mut [CatalogObject], mut same: Vec<Question>) {
    same.sort_by_key(|q| (q.object, q.range.start));
    for question in same.into_iter().rev() {
        live[question.object].definition.replace_range(question.range, &question.wanted.text);
    }
}
