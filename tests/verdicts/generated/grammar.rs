//! Expressions of every type from a grammar: what PostgreSQL allows where an expression may stand.

use super::random::Random;

/// Types of columns and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Int,
    Big,
    Num,
    Float,
    Text,
    Varchar,
    Char,
    Bool,
    Date,
    Stamp,
    Interval,
    IntArray,
    VarcharArray,
    Json,
    Uuid,
    Mood,
    Word,
    Bytes,
    Range,
    Bits,
    Inet,
}

pub const TYPES: [Ty; 21] = [
    Ty::Int,
    Ty::Big,
    Ty::Num,
    Ty::Float,
    Ty::Text,
    Ty::Varchar,
    Ty::Char,
    Ty::Bool,
    Ty::Date,
    Ty::Stamp,
    Ty::Interval,
    Ty::IntArray,
    Ty::VarcharArray,
    Ty::Json,
    Ty::Uuid,
    Ty::Mood,
    Ty::Word,
    Ty::Bytes,
    Ty::Range,
    Ty::Bits,
    Ty::Inet,
];

impl Ty {
    pub fn sql(self) -> &'static str {
        match self {
            Self::Int => "integer",
            Self::Big => "bigint",
            Self::Num => "numeric(8,2)",
            Self::Float => "double precision",
            Self::Text => "text",
            Self::Varchar => "varchar(20)",
            Self::Char => "char(3)",
            Self::Bool => "boolean",
            Self::Date => "date",
            Self::Stamp => "timestamp(3)",
            Self::Interval => "interval",
            Self::IntArray => "integer[]",
            Self::VarcharArray => "varchar(5)[]",
            Self::Json => "jsonb",
            Self::Uuid => "uuid",
            Self::Mood => "gen.mood",
            Self::Word => "gen.word",
            Self::Bytes => "bytea",
            Self::Range => "int4range",
            Self::Bits => "bit(4)",
            Self::Inet => "inet",
        }
    }

    /// Literals that any row may hold; the first is what most rows hold.
    pub fn literals(self) -> &'static [&'static str] {
        match self {
            Self::Int => &["1", "0", "-7", "'42'", "2147483647", "+1"],
            Self::Big => &["1", "-9000000000", "'5'::bigint"],
            Self::Num => &["1.50", "0", "-0.01", "'12'"],
            Self::Float => &["0.1", "1e10", "'NaN'", "'-Infinity'", "-0.0"],
            Self::Text => &["'a'", "''", "'it''s'", r"E'back\\slash\n'", "'é (x'", "'%_'", "'NULL'"],
            Self::Varchar => &["'new'", "'paid'", "'it''s'", "''", "'a'::varchar", "'a\\b'"],
            Self::Char => &["'abc'", "'a'", "'a  '::char(3)"],
            Self::Bool => &["true", "false", "'t'"],
            Self::Date => &["'2024-02-29'", "'infinity'", "date '1999-12-31'", "'0044-03-15 BC'"],
            Self::Stamp => &["'2024-02-29 12:34:56.789'", "timestamp '2000-01-01 00:00'", "'-infinity'"],
            Self::Interval => &["'1 day 02:03:04'", "interval '1' year", "'1 mon -2 days'", "interval '3' minute"],
            Self::IntArray => &["'{1,2}'", "ARRAY[1, NULL, 3]", "'{}'", "ARRAY[]::int[]"],
            Self::VarcharArray => {
                &["'{a,b}'", "ARRAY['a', 'NULL', NULL]::varchar(5)[]", "'{\"x y\",NULL,\"\\\\\\\\\"}'"]
            }
            Self::Json => &["'{\"a\": [1, null, \"x\"]}'", "'null'", "'\"\\\\u00e9\"'", "'[]'"],
            Self::Uuid => &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
            Self::Mood => &["'sad'", "'it''s ok'", "'SAD'::gen.mood"],
            Self::Word => &["'x'", "'y'", "'y'::gen.word"],
            Self::Bytes => &[r"'\x00ff'", r"'\\x'", "''"],
            Self::Range => &["'[1,5)'", "'empty'", "int4range(1, 3, '[]')"],
            Self::Bits => &["B'1010'", "'0000'", "X'F'"],
            Self::Inet => &["'10.0.0.1/8'", "'::1'"],
        }
    }
}

/// One column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Quoted where it has to be.
    pub name: String,
    pub ty: Ty,
}

/// Makes expressions over the columns of one relation.
pub struct Grammar<'a> {
    pub random: &'a mut Random,
    pub columns: &'a [Column],
    /// `new.` and the like, one is taken each time; empty: columns stand alone.
    pub prefixes: &'a [&'a str],
    /// Where a subquery may stand: a relation to look into, qualified.
    pub subquery_of: Option<&'a str>,
}

impl Grammar<'_> {
    fn pick(&mut self, list: &[&str]) -> String {
        (*self.random.one(list)).to_string()
    }

    /// A literal with its type: bare ones are resolved by what is around them.
    fn literal(&mut self, ty: Ty) -> String {
        let text = self.pick(ty.literals());
        if self.random.once_in(3) || ty == Ty::Varchar { text } else { format!("CAST({text} AS {})", ty.sql()) }
    }

    fn column(&mut self, ty: Ty) -> Option<String> {
        let fitting: Vec<&Column> = self.columns.iter().filter(|c| c.ty == ty).collect();
        if fitting.is_empty() {
            return None;
        }
        let name = self.random.one(&fitting).name.clone();
        let prefix = if self.prefixes.is_empty() { "" } else { self.random.one(self.prefixes) };
        Some(format!("{prefix}{name}"))
    }

    /// A value of that type, nested up to `depth` times.
    pub fn value(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 || self.random.once_in(5) {
            if let Some(column) = self.column(ty).filter(|_| !self.random.once_in(4)) {
                return column;
            }
            let text = self.pick(ty.literals());
            return format!("CAST({text} AS {})", ty.sql());
        }
        let d = depth - 1;
        match self.random.below(8) {
            0 => {
                let (a, b) = (self.value(ty, d), self.value(ty, d));
                format!("COALESCE({a}, {b})")
            }
            1 => {
                let (c, a, b) = (self.condition(d), self.value(ty, d), self.value(ty, d));
                format!("CASE WHEN {c} THEN {a} ELSE {b} END")
            }
            2 if ty != Ty::Json => {
                let (a, b) = (self.value(ty, d), self.value(ty, d));
                format!("NULLIF({a}, {b})")
            }
            3 => {
                let (v, w) = (self.value(Ty::Varchar, d), self.value(ty, d));
                let (x, y) = (self.pick(Ty::Varchar.literals()), self.pick(Ty::Varchar.literals()));
                format!("CASE {v} WHEN {x} THEN {w} WHEN {y} THEN NULL END")
            }
            _ => self.of_type(ty, d),
        }
    }

    fn of_type(&mut self, ty: Ty, d: usize) -> String {
        let sql = ty.sql();
        match ty {
            Ty::Int => {
                let (a, b) = (self.value(Ty::Int, d), self.value(Ty::Int, d));
                let (t, n) = (self.value(Ty::Text, d), self.value(Ty::IntArray, d));
                let (day, v) = (self.value(Ty::Date, d), self.value(Ty::Varchar, d));
                let forms = [
                    format!("({a} + {b} * 2)"),
                    format!("(- {a})"),
                    format!("({a} % 7 & 3)"),
                    format!("length({t})"),
                    format!("abs({a})"),
                    format!("GREATEST({a}, {b}, 3)"),
                    format!("COALESCE(({n})[1], array_length({n}, 1))"),
                    format!("CAST(EXTRACT(doy FROM {day}) AS int)"),
                    format!("position('x' IN {v})"),
                    format!("CAST({b} AS smallint)"),
                    format!("({a} # {b})"),
                ];
                self.random.one(&forms).clone()
            }
            Ty::Big | Ty::Num | Ty::Float => {
                let (a, i) = (self.value(ty, d), self.value(Ty::Int, d));
                let forms =
                    [format!("CAST({i} AS {sql})"), format!("({a} + {i})::{sql}"), format!("CAST(- {a} AS {sql})")];
                self.random.one(&forms).clone()
            }
            Ty::Text | Ty::Varchar => {
                let (a, b, c) = (self.value(Ty::Varchar, d), self.value(Ty::Text, d), self.value(Ty::Char, d));
                let (i, j) = (self.value(Ty::Int, d), self.value(Ty::Json, d));
                let forms = [
                    format!("({a} || {b})"),
                    format!("lower({a})"),
                    format!("TRIM(BOTH 'x' FROM {b})"),
                    format!("SUBSTRING({a} FROM 1 FOR 2)"),
                    format!("({b} COLLATE \"C\")"),
                    format!("CAST({i} AS text)"),
                    format!("({c} || {a})"),
                    format!("({j} ->> 'a')"),
                    format!("OVERLAY({b} PLACING 'zz' FROM 1)"),
                    format!("replace({a}, E'\\\\', '/')"),
                    format!("gen.twice({a})"),
                    format!("(({a}::text) || ''::varchar)"),
                ];
                let text = self.random.one(&forms).clone();
                if ty == Ty::Varchar { format!("({text})::varchar(20)") } else { text }
            }
            Ty::Bool => self.condition(d),
            Ty::Date => {
                let (a, i) = (self.value(Ty::Date, d), self.value(Ty::Int, d));
                format!("({a} + {i} % 10)")
            }
            Ty::Stamp => {
                let (a, i) = (self.value(Ty::Stamp, d), self.value(Ty::Interval, d));
                let forms =
                    [format!("({a} + {i})"), format!("date_trunc('hour', {a})"), format!("({a} - interval '1' day)")];
                self.random.one(&forms).clone()
            }
            Ty::Interval => {
                let (a, b) = (self.value(Ty::Stamp, d), self.value(Ty::Stamp, d));
                format!("({a} - {b})")
            }
            Ty::IntArray => {
                let (a, b, i) = (self.value(ty, d), self.value(ty, d), self.value(Ty::Int, d));
                let forms = [
                    format!("({a} || {b})"),
                    format!("array_append({a}, {i})"),
                    format!("ARRAY[{i}, 2]"),
                    format!("({a})[1:2]"),
                ];
                self.random.one(&forms).clone()
            }
            Ty::VarcharArray => {
                let (a, v) = (self.value(ty, d), self.value(Ty::Varchar, d));
                let forms = [format!("({a} || ARRAY['q']::varchar(5)[])"), format!("ARRAY[{v}, 'b']::varchar(5)[]")];
                self.random.one(&forms).clone()
            }
            Ty::Json => {
                let (a, t) = (self.value(ty, d), self.value(Ty::Text, d));
                let forms = [
                    format!("({a} -> 'a')"),
                    format!("({a} || '{{}}')"),
                    format!("to_jsonb({t})"),
                    format!("({a} #> '{{a,0}}')"),
                ];
                self.random.one(&forms).clone()
            }
            Ty::Range => {
                let (a, b) = (self.value(ty, d), self.value(ty, d));
                format!("({a} * {b})")
            }
            Ty::Bits => {
                let (a, b) = (self.value(ty, d), self.value(ty, d));
                format!("({a} & ~ {b})")
            }
            Ty::Bytes => {
                let (a, b) = (self.value(ty, d), self.value(ty, d));
                format!("({a} || {b})")
            }
            Ty::Char | Ty::Uuid | Ty::Mood | Ty::Word | Ty::Inet => self.literal(ty),
        }
    }

    /// A truth value.
    pub fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            let ty = *self.random.one(&TYPES);
            return match self.column(ty) {
                Some(column) => self.about(ty, &column),
                None => "(1 = 1)".to_string(),
            };
        }
        let d = depth - 1;
        match self.random.below(10) {
            0 => format!("({} AND {})", self.condition(d), self.condition(d)),
            1 => format!("({} OR {} OR {})", self.condition(d), self.condition(d), self.condition(d)),
            2 => format!("(NOT {})", self.condition(d)),
            3 => format!("(({}) IS NOT TRUE)", self.condition(d)),
            4 => {
                let (a, b) = (self.value(Ty::Int, d), self.value(Ty::Varchar, d));
                format!("(({a}, {b}) < (3, 'x'))")
            }
            5 => match self.subquery_of {
                Some(relation) => {
                    let inner = self.value(Ty::Varchar, 0);
                    format!("EXISTS (SELECT 1 FROM {relation} s WHERE s.kind IN ('a', 'b') AND s.kind <> {inner})")
                }
                None => format!("({} IS DISTINCT FROM {})", self.value(Ty::Text, d), self.value(Ty::Varchar, d)),
            },
            _ => {
                let ty = *self.random.one(&TYPES);
                let value = self.value(ty, d);
                self.about(ty, &value)
            }
        }
    }

    /// Something that may be said about a value of that type.
    fn about(&mut self, ty: Ty, value: &str) -> String {
        let (a, b) = (self.pick(ty.literals()), self.pick(ty.literals()));
        let mut forms = vec![
            format!("({value} IS NULL)"),
            format!("({value} IS NOT NULL)"),
            format!("({value} = {a})"),
            format!("({value} IN ({a}, {b}))"),
            format!("({value} NOT IN ({a}, {b}, {a}))"),
            format!("({value} IS DISTINCT FROM {a})"),
        ];
        if matches!(ty, Ty::Varchar | Ty::Text | Ty::Word | Ty::Char) {
            forms.extend([
                format!("({value} IN ('new', 'paid'))"),
                format!("({value} NOT IN ('x', 'y', 'z'))"),
                format!("({value} = ANY ('{{a,b}}'))"),
                format!("({value} <> ALL (ARRAY['a', 'b']::varchar[]))"),
                format!("({value} LIKE 'a%')"),
                format!("({value} ILIKE ANY (ARRAY['a%', '%\\_']))"),
                format!("({value} ~ '^[a-z]+$')"),
                format!("({value} SIMILAR TO '(a|b)%')"),
                format!("({value} BETWEEN {a} AND {b})"),
            ]);
        }
        if matches!(ty, Ty::Int | Ty::Num | Ty::Date | Ty::Stamp | Ty::Interval) {
            forms.extend([
                format!("({value} BETWEEN SYMMETRIC {a} AND {b})"),
                format!("({value} >= {a})"),
                format!("({value} < {b})"),
            ]);
        }
        if ty == Ty::Bool {
            forms.extend([format!("({value} IS UNKNOWN)"), format!("({value} IS NOT FALSE)"), value.to_string()]);
        }
        if ty == Ty::Json {
            forms = vec![format!("({value} ? 'a')"), format!("({value} @> '{{}}')"), format!("({value} IS NOT NULL)")];
        }
        self.random.one(&forms).clone()
    }
}
