/** Why the dependencies in `root` must be installed, in words; undefined when they are those of the lockfile. */
export function reasonToInstall(root: string): string | undefined
/** Remembers that what the lockfile says is installed. */
export function markInstalled(root: string): void
