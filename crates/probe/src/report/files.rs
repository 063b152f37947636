//! A report's folder.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

use super::Report;
use crate::Error;

/// The file by which a folder is known to hold a report.
const JSON: &str = "report.json";
/// The files of a report beside its pictures.
const FILES: [&str; 4] = [JSON, "report.md", "report.html", "report.parquet"];
/// What grows, or is put aside, begins with this.
const TEMPORARY: &str = ".strata-probe-";

impl Report {
    /// Refuses a folder that holds something else than a report.
    ///
    /// # Errors
    /// It does, or it cannot be looked at.
    pub fn check_folder(folder: &Path) -> Result<(), Error> {
        let wrong = |what: &str, hint: &str| Err(Error::folder(format!("{} {what}", folder.display()), hint));
        if folder.file_name().is_none() {
            return wrong(
                "is no name of a folder that could be replaced",
                "name a folder of its own with --output",
            );
        }
        let entries = match fs_err::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return wrong("is no folder", "name a new folder with --output");
            }
            entries => entries?,
        };
        let names =
            entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>, std::io::Error>>()?;
        let is_ours =
            |name: &OsString| name.to_str().is_some_and(|name| FILES.contains(&name) || is_picture(name));
        if names.is_empty() || (names.iter().all(is_ours) && is_report(&folder.join(JSON))) {
            return Ok(());
        }
        wrong(
            "holds something else than a report",
            "name a new folder with --output, or one of an earlier report, which is replaced",
        )
    }

    /// Writes the report into a folder, in place of one that is there: `report.json`, `report.parquet`, `report.md`,
    /// `report.html`, and each picture as SVG and PNG. All of it is there at once, or nothing.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        Self::check_folder(folder)?;
        let above = match folder.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        fs_err::create_dir_all(above)?;
        let growing = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(above)?;
        let pictures = self.pictures()?;
        let json = serde_json::to_string_pretty(self).map_err(|error| Error::Bug(error.to_string()))?;
        fs_err::write(growing.path().join(JSON), json + "\n")?;
        fs_err::write(growing.path().join("report.md"), self.markdown(&pictures))?;
        fs_err::write(growing.path().join("report.html"), self.page(&pictures))?;
        self.write_parquet(&growing.path().join("report.parquet"))?;
        for picture in &pictures {
            let place = growing.path().join(&picture.name);
            fs_err::write(place.with_extension("svg"), &picture.svg)?;
            fs_err::write(place.with_extension("png"), picture.png()?)?;
        }
        // Made for its owner alone, as temporary folders are.
        open_to_others(growing.path())?;
        let grown = growing.keep();
        replace(folder, &grown, above).inspect_err(|_| {
            let _ = fs_err::remove_dir_all(&grown);
        })
    }
}

/// Puts a folder in the place of another. In two steps, since none takes the place of one that holds something: whoever
/// comes between them sees neither. The other is there again if the second fails.
fn replace(folder: &Path, grown: &Path, above: &Path) -> Result<(), Error> {
    if !folder.exists() {
        return Ok(fs_err::rename(grown, folder)?);
    }
    let aside = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(above)?;
    let old = aside.path().join("report");
    fs_err::rename(folder, &old)?;
    if let Err(error) = fs_err::rename(grown, folder) {
        fs_err::rename(&old, folder)?;
        return Err(error.into());
    }
    Ok(())
}

fn is_report(path: &Path) -> bool {
    let report = fs_err::read(path).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    report.is_some_and(|report| {
        ["strata", "question", "columns", "provenance"].iter().all(|key| report.get(key).is_some())
    })
}

fn is_picture(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let is_known = ["layers", "code", "confusion"].contains(&stem) || stem.starts_with("cka");
    is_known && ["svg", "png"].contains(&extension)
}

/// Gives a folder the permissions that any new one has.
fn open_to_others(folder: &Path) -> Result<(), Error> {
    let other = folder.join("permissions");
    fs_err::create_dir(&other)?;
    fs_err::set_permissions(folder, fs_err::metadata(&other)?.permissions())?;
    fs_err::remove_dir(&other)?;
    Ok(())
}
