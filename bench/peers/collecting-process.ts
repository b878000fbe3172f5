/**
 * Loaded before a Node broker (`node --expose-gc --import`): SIGUSR2 collects all garbage, so that what is measured is
 * what the clients need and not what the collector has not got round to yet.
 */
const collect = globalThis.gc
if (collect === undefined) throw new Error('collecting-process needs --expose-gc')
process.on('SIGUSR2', () => {
  collect()
})
