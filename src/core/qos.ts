/** Quality of service levels (MQTT 5 section 4.3). */
export type QoS = 0 | 1 | 2
