import { retainedJournalContract } from '../contract/retained-contract.ts'
import { sessionJournalContract } from '../contract/session-journal-contract.ts'
import { storeContract } from '../contract/store-contract.ts'
import { journalHarness, levelHarness, memoryHarness, retainedHarness, simHarness } from './harnesses.ts'

storeContract('MemoryStore', memoryHarness)
storeContract('SimStore', simHarness)
for (const sync of ['always', 'batch', 'never'] as const) {
  storeContract(`LevelStore with sync ${sync}`, () => levelHarness(sync))
}

sessionJournalContract('StoreSessionJournal on MemoryStore', () => journalHarness(memoryHarness()))
sessionJournalContract('StoreSessionJournal on SimStore', () => journalHarness(simHarness()))
sessionJournalContract('StoreSessionJournal on LevelStore', () => journalHarness(levelHarness('batch')))

retainedJournalContract('StoreRetainedJournal on MemoryStore', () => retainedHarness(memoryHarness()))
retainedJournalContract('StoreRetainedJournal on LevelStore', () => retainedHarness(levelHarness('batch')))
