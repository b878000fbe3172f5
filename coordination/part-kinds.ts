/** Leading bytes of the parts of a session, and flags of its tail marks, layout in WIRE.md. */
export const partKind = {
  subscription: 1,
  message: 2,
  released: 3,
  received: 4,
  will: 5,
  known: 6,
  debt: 7,
} as const

export const tailFlag = { loose: 1, passed: 2, held: 4 } as const
