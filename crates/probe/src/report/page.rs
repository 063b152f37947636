//! A report as one page of HTML, which needs no other file and no network.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Picture, Report};

const STYLE: &str = "
:root { color-scheme: light dark; --text: #1c2024; --faint: #5c6670; --line: #d6dbe0; --ground: #ffffff; --mark: #eef4fa; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ec; --faint: #9aa4ae; --line: #39424b; --ground: #15191e; --mark: #1f2a36; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
tr.best { background: var(--mark); font-weight: 600; }
figure { margin: 1.5rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption, .faint { color: var(--faint); }
pre { overflow-x: auto; font-size: .85rem; }
.scroll { overflow-x: auto; }
@media print { body { margin: 0; max-width: none; } figure, table { break-inside: avoid; } }
";

impl Report {
    /// The report as a page.
    pub(super) fn page(&self, pictures: &[Picture]) -> String {
        let (head, rows) = self.table();
        let provenance = serde_json::to_string_pretty(&self.provenance).unwrap_or_default();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.headline()) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (self.headline()) }
                    @for line in self.about_rows() { p { (line) } }
                    (figures(pictures, &["layers"]))
                    div.scroll {
                        table {
                            thead { tr { @for name in &head { th { (name) } } } }
                            tbody {
                                @for (cells, column) in rows.iter().zip(&self.columns) {
                                    tr.best[column.column == self.best] { @for cell in cells { td { (cell) } } }
                                }
                            }
                        }
                    }
                    p { code { (self.best) } " is best on the development rows." }
                    @for line in self.about_baselines().into_iter().chain(self.about_mixes()) { p { (line) } }
                    @if !self.notes.is_empty() {
                        h2 { "Notes" }
                        ul { @for note in &self.notes { li { (note) } } }
                    }
                    (figures(pictures, &["code", "confusion", "cka"]))
                    @if !self.rows.classes.is_empty() {
                        h2 { "Classes" }
                        table {
                            thead { tr { th { "class" } th { "rows" } } }
                            tbody { @for class in &self.rows.classes { tr { td { (class.name) } td { (class.rows) } } } }
                        }
                    }
                    h2 { "Provenance" }
                    details { summary { "What decides the values of the vectors" } pre { (provenance) } }
                    p.faint { "strata " (self.strata) }
                }
            }
        }
        .into_string()
    }
}

fn figures(pictures: &[Picture], names: &[&'static str]) -> Markup {
    let of = |name: &'static str| pictures.iter().filter(move |picture| picture.name.starts_with(name));
    html! {
        @for picture in names.iter().copied().flat_map(of) {
            figure { (PreEscaped(&picture.svg)) figcaption { (picture.title) } }
        }
    }
}
