import { z } from 'zod'
import type { ModeStatus } from '../core/ports/subscription-mode.ts'

const modeSchema = z
  .enum(['gossip', 'etcd'])
  .describe('How changes of subscriptions travel: between the nodes, or through the coordination store.')
const timeSchema = z.number().describe('Unix time in milliseconds.')

export const modeStatusSchema = z
  .object({
    nodeId: z.string().describe('The node that answers.'),
    mode: modeSchema.describe('What counts now; during a switch the old one.'),
    epoch: z.number().describe('Rises with every phase of every switch.'),
    switch: z
      .object({
        from: modeSchema,
        to: modeSchema,
        phase: z.enum(['write-both', 'compare', 'cut-over', 'stop-old']),
        startedAtMs: timeSchema,
        phaseAtMs: timeSchema.describe('When the phase began, Unix time in milliseconds.'),
        requestedBy: z.string().describe('The node that was asked.'),
        done: z.array(z.string()).describe('Members that have done what the phase asks.'),
        members: z.array(z.string()),
      })
      .nullable()
      .describe('The switch under way; null: none.'),
    last: z
      .object({
        epoch: z.number().describe('The epoch in which it ended.'),
        from: modeSchema,
        to: modeSchema,
        outcome: z.enum(['switched', 'aborted']),
        reason: z.string().nullable().describe('Why it was aborted.'),
        startedAtMs: timeSchema,
        endedAtMs: timeSchema,
      })
      .nullable()
      .describe('The switch that ended last; null: none ever.'),
  })
  .describe('The subscription mode of the cluster, and a switch of it.')

export const modeAnswerSchema = z
  .object({
    nodeId: z.string().describe('The node that answers.'),
    to: modeSchema,
    change: z.boolean().describe('False: the cluster has that mode already, and nothing is done.'),
    epoch: z.number().describe('The switch has ended when `last.epoch` of the status is greater.'),
  })
  .describe('A switch that was begun.')

export const modeRequestSchema = z.strictObject({ mode: modeSchema })

export type ModeStatusView = z.output<typeof modeStatusSchema>
export type ModeAnswerView = z.output<typeof modeAnswerSchema>
export type ModeRequest = z.output<typeof modeRequestSchema>

export function modeStatusView(nodeId: string, { mode, epoch, current, last }: ModeStatus): ModeStatusView {
  return {
    nodeId,
    mode,
    epoch,
    switch:
      current === undefined ? null : { ...current, done: [...current.done], members: [...current.members] },
    last: last === undefined ? null : { ...last, reason: last.reason ?? null },
  }
}
