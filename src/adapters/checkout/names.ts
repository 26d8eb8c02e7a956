/** File names that are no content of a person: what editors and desktops leave beside a file. Pure. */

const TEMPORARY: readonly RegExp[] = [
  /~$/, // vim, emacs, gedit and many others: the backup of the last version; vim's undo file ends so too
  /^\..*\.sw[a-p]$/i, /^4913$/, // vim: swap files, and the file it creates to see whether it may write here
  /^#.*#$/, /^\.#/, // emacs: auto-save, and its lock (a dangling symlink)
  /^\.goutputstream-/, // GLib's atomic save
  /___jb_(tmp|old)___$/, // JetBrains' safe write
  /\.save(\.\d+)?$/, // nano, when it is killed
  /\.(tmp|temp|part|crdownload|crswap|kate-swp|swx)$/i, /\.tmp\.[^.]+$/i,
  /^\.~lock\..*#$/, /^~\$/, // office lock files
  /^sed[A-Za-z0-9]{6}$/, // sed -i
  /^\.(nfs|fuse_hidden)[0-9a-f]+$/i, // a deleted file that is still open
  /^\.syncthing\./, /^\.DS_Store$/, /^\._/, /^Thumbs\.db$/i, /^desktop\.ini$/i,
];

/** True for a name (one segment) that an editor or a desktop writes for itself. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.some((pattern) => pattern.test(name));
}

// Code points that HFS+ ignores: `.g<ZWNJ>it` is `.git` there, and git refuses it in every tree.
const IGNORED_BY_HFS = /\u200c|\u200d|\u200e|\u200f|[\u202a-\u202e]|[\u206a-\u206f]|\ufeff/g;

/** Why a segment may not stand in a tree, or null. A tree with such a name is refused by `fsck` at the hub. */
export function nameTrouble(name: string): string | null {
  if (name.includes('\ufffd')) return 'its name is not UTF-8';
  const plain = name.replace(IGNORED_BY_HFS, '').toLowerCase();
  if (plain === '.git' || plain === 'git~1') return 'its name is reserved by git';
  return null;
}
