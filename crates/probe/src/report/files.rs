//! A report's folder.

use std::path::Path;

use super::Report;
use crate::Error;

/// The file by which a folder is known to hold a report, and nothing that anybody would miss.
const JSON: &str = "report.json";

impl Report {
    /// Refuses a folder that holds something else than a report.
    ///
    /// # Errors
    /// It does, or it cannot be looked at.
    pub fn check_folder(folder: &Path) -> Result<(), Error> {
        let is_new = match fs_err::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                return Err(Error::folder(
                    format!("{} is no folder", folder.display()),
                    "name a new folder with --output",
                ));
            }
            entries => entries?.next().is_none(),
        };
        if is_new || folder.join(JSON).is_file() {
            return Ok(());
        }
        Err(Error::folder(
            format!("{} holds something else than a report", folder.display()),
            "name a new folder with --output, or one of an earlier report, which is replaced",
        ))
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
        let growing = tempfile::Builder::new().prefix(".strata-probe-").tempdir_in(above)?;
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
        if folder.exists() {
            // Two steps, since no folder takes the place of one that holds something: whoever comes between them sees
            // none.
            let old = tempfile::Builder::new().prefix(".strata-probe-").tempdir_in(above)?;
            fs_err::rename(folder, old.path().join("report"))?;
        }
        // Made for its owner alone, as temporary folders are.
        open_to_others(growing.path())?;
        fs_err::rename(growing.keep(), folder)?;
        Ok(())
    }
}

/// Gives a folder the permissions that any new one has.
fn open_to_others(folder: &Path) -> Result<(), Error> {
    let other = folder.join("permissions");
    fs_err::create_dir(&other)?;
    fs_err::set_permissions(folder, fs_err::metadata(&other)?.permissions())?;
    fs_err::remove_dir(&other)?;
    Ok(())
}
