/** Where a running node can be reached. */
export interface NodeEndpoints {
  readonly nodeId: string
  /** `host:port`. */
  readonly mqttAddress: string
  readonly adminUrl: string
  readonly pid: number
}

/** The line that announces a node on stdout; scripts read it. */
export function nodeLine({ nodeId, mqttAddress, adminUrl, pid }: NodeEndpoints): string {
  return `${nodeId}  mqtt://${mqttAddress}  ${adminUrl}  pid ${pid}`
}
