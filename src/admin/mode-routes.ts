import type { FastifyInstance } from 'fastify'
import type { NodeControl } from '../core/ports/node-control.ts'
import type { NodeStatusSource } from '../core/ports/node-status.ts'
import {
  modeAnswerSchema,
  modeRequestSchema,
  modeStatusSchema,
  modeStatusView,
  type ModeRequest,
} from './mode-schemas.ts'
import { answers, errorBody, jsonSchema } from './route-schemas.ts'

const ADVICE = {
  busy: 'wait until it has ended (grapevine mode get), then ask again',
  quota: 'raise the quota of the coordination store, or stay with gossip',
  joining: 'ask again when the node is ready',
} as const

/** How changes of subscriptions travel, and having that switched. */
export function addModeRoutes(
  app: FastifyInstance,
  source: NodeStatusSource,
  control: Pick<NodeControl, 'mode' | 'setMode'>,
): void {
  const nodeId = (): string => source.clusterStatus().nodeId
  app.get(
    '/api/v1/mode',
    {
      schema: {
        summary: 'The subscription mode, and how far a switch has come',
        response: answers({ 200: modeStatusSchema }),
      },
    },
    () => modeStatusView(nodeId(), control.mode()),
  )
  app.post<{ Body: ModeRequest }>(
    '/api/v1/mode',
    {
      schema: {
        summary: 'Switch the subscription mode of the whole cluster; answers at once',
        body: jsonSchema(modeRequestSchema),
        response: answers({ 200: modeAnswerSchema, 202: modeAnswerSchema }),
      },
    },
    async ({ body: { mode } }, reply) => {
      const answer = await control.setMode(mode)
      if (!answer.isAccepted) {
        const message = `${answer.detail}; ${ADVICE[answer.refusal]}`
        return reply.code(409).send(errorBody('MODE_REFUSED', message))
      }
      const { isChange: change, epoch } = answer
      return reply.code(change ? 202 : 200).send({ nodeId: nodeId(), to: mode, change, epoch })
    },
  )
}
