//! A report as Markdown.

use super::{Picture, Report};

impl Report {
    /// The report as Markdown, which shows the pictures beside it.
    pub(super) fn markdown(&self, pictures: &[Picture]) -> String {
        let paragraph = |lines: Vec<String>| {
            lines.iter().map(|line| format!("{}\n\n", escaped(line))).collect::<String>()
        };
        let (head, rows) = self.table();
        let row = |cells: &[String]| {
            format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "))
        };
        let mut out = format!("# {}\n\n", escaped(&self.headline()));
        out += &paragraph(self.about_rows());
        out += &row(&head);
        out += &format!("|{}\n", "---|".repeat(head.len()));
        out += &rows.iter().map(|cells| row(cells)).collect::<String>();
        out += "\n";
        out += &format!("`{}` is best on the development rows.\n\n", self.best);
        out += &paragraph(self.about_baselines());
        out += &paragraph(self.about_mixes());
        for picture in pictures {
            out += &format!("![{}]({}.svg)\n\n", escaped(&picture.title), picture.name);
        }
        if !self.notes.is_empty() {
            out += "## Notes\n\n";
            out += &self.notes.iter().map(|note| format!("- {}\n", escaped(note))).collect::<String>();
            out += "\n";
        }
        out += "## Provenance\n\n```json\n";
        out += &serde_json::to_string_pretty(&self.provenance).unwrap_or_default();
        out += "\n```\n";
        out
    }
}

/// Text in which nothing is markup.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        if matches!(character, '\\' | '*' | '|' | '<' | '>' | '[' | ']' | '#') {
            out.push('\\');
        }
        out.push(if character == '\n' { ' ' } else { character });
        out
    })
}
