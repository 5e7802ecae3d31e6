//! BitLocker as it is seen from outside: how a locked volume is recognised, and what to type to unlock it.
//!
//! Sources: the volume header of BitLocker in Microsoft's and libbde's descriptions (`-FVE-FS-` where NTFS has its name, from Vista to
//! 11), and Microsoft's `manage-bde -unlock`, `mountvol`. Text and bytes only; tested on every system.

/// Whether a volume's first sector is BitLocker's.
pub fn is_bitlocker(sector: &[u8]) -> bool {
    sector.get(3..11) == Some(b"-FVE-FS-".as_slice())
}

/// The command line that unlocks a volume. One without a letter gets one first: the first that is not in `used`, from S on.
pub fn unlock_line(letter: Option<char>, volume: &str, used: &[char]) -> String {
    let unlock = |drive: &str| format!("manage-bde -unlock {drive} -RecoveryPassword YOUR-48-DIGIT-KEY");
    if let Some(letter) = letter {
        return unlock(&format!("{letter}:"));
    }
    let free = ('S'..='Z').chain('D'..='R').find(|letter| !used.contains(letter));
    match free {
        Some(letter) => format!("mountvol {letter}: {volume} && {}", unlock(&format!("{letter}:"))),
        None => unlock(volume.trim_end_matches('\\')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_bitlocker_is_known() {
        let sector = |start: &[u8]| [start, &[0; 500]].concat();
        assert!(is_bitlocker(&sector(b"\xeb\x52\x90-FVE-FS-")));
        assert!(is_bitlocker(&sector(b"\xeb\x58\x90-FVE-FS-")));
        assert!(!is_bitlocker(&sector(b"\xeb\x52\x90NTFS    ")));
        assert!(!is_bitlocker(b"-FVE-FS-"));
        assert!(!is_bitlocker(&[]));
    }

    #[test]
    fn the_line_to_type_is_whole() {
        let volume = r"\\?\Volume{0}\";
        assert_eq!(unlock_line(Some('D'), volume, &['D']), "manage-bde -unlock D: -RecoveryPassword YOUR-48-DIGIT-KEY");
        assert_eq!(
            unlock_line(None, volume, &['C', 'S']),
            r"mountvol T: \\?\Volume{0}\ && manage-bde -unlock T: -RecoveryPassword YOUR-48-DIGIT-KEY"
        );
        let all: Vec<char> = ('A'..='Z').collect();
        assert_eq!(
            unlock_line(None, volume, &all),
            r"manage-bde -unlock \\?\Volume{0} -RecoveryPassword YOUR-48-DIGIT-KEY"
        );
    }
}
