/** MQTT 5 reason codes in use here (MQTT 5 section 2.4), by their names in the specification. */
export const reason = {
  success: 0x00,
  grantedQoS1: 0x01,
  normalDisconnection: 0x00,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecifiedError: 0x80,
  implementationSpecificError: 0x83,
  malformedPacket: 0x81,
  protocolError: 0x82,
  unsupportedProtocolVersion: 0x84,
  clientIdentifierNotValid: 0x85,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdentifierInUse: 0x91,
  packetIdentifierNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const

/** The CONNACK return code of MQTT 3.1.1 (section 3.2.2.3) that says most of what a v5 reason code says. */
export function connectReturnCode(reasonCode: number): number {
  switch (reasonCode) {
    case reason.success:
      return 0
    case reason.unsupportedProtocolVersion:
      return 1
    case reason.clientIdentifierNotValid:
      return 2
    case reason.notAuthorized:
      return 5
    default:
      return 3 // server unavailable
  }
}
