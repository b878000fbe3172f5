import { parseStatements } from './statement.ts'

/**
 * Every normative statement of MQTT 3.1.1 (OASIS Standard with Errata 01), in the order of the specification, paraphrased.
 * It prints two ids out of form, `[MQTT-3.1.2.7]` and `[MQTT-3-8.3-4]`; here they are MQTT-3.1.2-7 and MQTT-3.8.3-4. Lists
 * that go by the form alone have 139 statements, not 141.
 */
export const statements311 = parseStatements(`
1.5.3-1 both Strings are well-formed UTF-8 without surrogates (U+D800 to U+DFFF); a packet with ill-formed UTF-8 closes the connection.
1.5.3-2 both Strings do not contain U+0000; a packet that contains it closes the connection.
1.5.3-3 both The bytes EF BB BF mean U+FEFF wherever they stand and are never skipped or stripped.
2.2.2-1 both Flag bits marked as reserved have the value that the table of flag bits lists.
2.2.2-2 both Invalid flags close the connection.
2.3.1-1 both SUBSCRIBE, UNSUBSCRIBE and PUBLISH at QoS 1 or 2 carry a packet identifier that is not zero.
2.3.1-2 client A client gives each new packet of these kinds an identifier that is not in use.
2.3.1-3 client A client re-sends a packet under the same identifier, which is free again once its acknowledgement was processed.
2.3.1-4 server The same holds for a server that sends PUBLISH at QoS 1 or 2.
2.3.1-5 both A PUBLISH at QoS 0 carries no packet identifier.
2.3.1-6 both PUBACK, PUBREC and PUBREL carry the identifier of the PUBLISH they belong to.
2.3.1-7 both SUBACK and UNSUBACK carry the identifier of the SUBSCRIBE or UNSUBSCRIBE they answer.
3.1.0-1 client The first packet on a connection is CONNECT.
3.1.0-2 server A second CONNECT is a protocol violation: the client is disconnected.
3.1.2-1 server A CONNECT with a wrong protocol name is not processed under this specification.
3.1.2-2 server A protocol level that is not supported is answered with CONNACK 0x01, then the client is disconnected.
3.1.2-3 server A CONNECT whose reserved flag is not zero disconnects the client.
3.1.2-4 server Clean Session 0 resumes the session of that client identifier or creates one, and it is kept after the disconnection.
3.1.2-5 server Messages at QoS 1 and 2 that match the subscriptions of a disconnected session are kept for it.
3.1.2-6 both Clean Session 1 discards an earlier session and starts one that lasts as long as the connection and is never reused.
3.1.2-7 server Retained messages are not part of a session and are not deleted when it ends.
3.1.2-8 server With Will Flag 1 the will is stored with the connection and published when that closes, unless DISCONNECT removed it.
3.1.2-9 both With Will Flag 1 the server heeds Will QoS and Will Retain, and the payload has a will topic and message.
3.1.2-10 server The will leaves the session state once it was published or DISCONNECT came.
3.1.2-11 client With Will Flag 0 Will QoS and Will Retain are zero and the payload has no will.
3.1.2-12 server With Will Flag 0 no will is published when the connection ends.
3.1.2-13 client With Will Flag 0 Will QoS is 0.
3.1.2-14 client With Will Flag 1 Will QoS is 0, 1 or 2, never 3.
3.1.2-15 client With Will Flag 0 Will Retain is 0.
3.1.2-16 server With Will Retain 0 the will is published as a message that is not retained.
3.1.2-17 server With Will Retain 1 the will is published as a retained message.
3.1.2-18 client With User Name Flag 0 the payload has no user name.
3.1.2-19 client With User Name Flag 1 the payload has a user name.
3.1.2-20 client With Password Flag 0 the payload has no password.
3.1.2-21 client With Password Flag 1 the payload has a password.
3.1.2-22 client With User Name Flag 0 the Password Flag is 0.
3.1.2-23 client A client sends some packet within each Keep Alive interval, a PINGREQ if it has nothing else.
3.1.2-24 server A client that is silent for one and a half times its Keep Alive is disconnected as if the network had failed.
3.1.3-1 client The fields of the CONNECT payload come in the order client identifier, will topic, will message, user name, password.
3.1.3-2 both The client identifier identifies the session state on both sides.
3.1.3-3 client The client identifier is present and is the first field of the payload.
3.1.3-4 client The client identifier is a UTF-8 string.
3.1.3-5 server Client identifiers of 1 to 23 bytes of digits and Latin letters are allowed.
3.1.3-6 server A server that allows an empty client identifier assigns a unique one and goes on as if the client had sent it.
3.1.3-7 client An empty client identifier comes with Clean Session 1.
3.1.3-8 server An empty client identifier with Clean Session 0 is answered with CONNACK 0x02, then the connection is closed.
3.1.3-9 server A client identifier that is refused is answered with CONNACK 0x02, then the connection is closed.
3.1.3-10 client The will topic is a UTF-8 string.
3.1.3-11 client The user name is a UTF-8 string.
3.1.4-1 server A CONNECT that does not conform closes the connection without a CONNACK.
3.1.4-2 server A CONNECT under the identifier of a connected client disconnects that client.
3.1.4-3 server Clean Session is carried out as described.
3.1.4-4 server A valid CONNECT is answered with CONNACK 0x00.
3.1.4-5 server After a refused CONNECT nothing that the client sent behind it is processed.
3.2.0-1 server The first packet from the server is CONNACK.
3.2.2-1 server Clean Session 1 is accepted with Session Present 0 and code 0.
3.2.2-2 server Clean Session 0 is accepted with Session Present 1 if the server has the session.
3.2.2-3 server Without a stored session Session Present is 0, and the code is 0.
3.2.2-4 server A CONNACK with a code other than zero has Session Present 0.
3.2.2-5 server After a CONNACK with a code other than zero the connection is closed.
3.2.2-6 server If none of the return codes applies, the connection is closed without a CONNACK.
3.3.1-1 both DUP is 1 when a PUBLISH is delivered again.
3.3.1-2 both DUP is 0 on every message at QoS 0.
3.3.1-3 server DUP of an outgoing PUBLISH says only whether that PUBLISH is a retransmission; the incoming DUP is not handed on.
3.3.1-4 both No PUBLISH has both QoS bits set; one that has closes the connection.
3.3.1-5 server A PUBLISH with RETAIN 1 is stored with its QoS for later subscribers of its topic.
3.3.1-6 server A new subscription gets the last retained message of each matching topic.
3.3.1-7 server A retained message at QoS 0 discards what was retained for its topic; keeping the new one is not guaranteed.
3.3.1-8 server A message sent because of a new subscription has RETAIN 1.
3.3.1-9 server A message sent because of an established subscription has RETAIN 0, whatever the incoming flag was.
3.3.1-10 server An empty retained message is handed on as usual, and it removes the retained message of its topic.
3.3.1-11 server An empty retained message is not stored.
3.3.1-12 server A PUBLISH with RETAIN 0 neither stores nor removes nor replaces a retained message.
3.3.2-1 both The topic name is the first field of the variable header and a UTF-8 string.
3.3.2-2 both The topic name contains no wildcard.
3.3.2-3 server The topic name of a PUBLISH to a subscriber matches its filter.
3.3.4-1 both A PUBLISH is answered as its QoS demands.
3.3.5-1 server Overlapping subscriptions: the message is delivered with respect to the highest of their QoS.
3.3.5-2 server A PUBLISH that is not authorized is acknowledged as usual, or the connection is closed.
3.6.1-1 both The flags of PUBREL are 0010; others are malformed and close the connection.
3.8.1-1 both The flags of SUBSCRIBE are 0010; others are malformed and close the connection.
3.8.3-1 client The filters in SUBSCRIBE are UTF-8 strings.
3.8.3-2 server A server that does not support wildcards refuses each subscription that has one.
3.8.3-3 client SUBSCRIBE has at least one filter; without one it is a protocol violation.
3.8.3-4 server Reserved bits in a SUBSCRIBE payload that are not zero, or QoS 3, are malformed and close the connection.
3.8.4-1 server SUBSCRIBE is answered with SUBACK.
3.8.4-2 server SUBACK carries the identifier of its SUBSCRIBE.
3.8.4-3 server A filter identical to an existing one replaces that subscription; retained messages are sent again and the flow is not interrupted.
3.8.4-4 server Several filters in one SUBSCRIBE are handled like several SUBSCRIBEs with one SUBACK.
3.8.4-5 server SUBACK has for each filter the QoS granted or the failure.
3.8.4-6 server Messages come at the lower of the QoS published and the QoS granted.
3.9.3-1 server The codes in SUBACK are in the order of the filters in SUBSCRIBE.
3.9.3-2 server SUBACK codes are 0x00, 0x01, 0x02 or 0x80.
3.10.1-1 both The flags of UNSUBSCRIBE are 0010; others are malformed and close the connection.
3.10.3-1 client The filters in UNSUBSCRIBE are UTF-8 strings.
3.10.3-2 client UNSUBSCRIBE has at least one filter; without one it is a protocol violation.
3.10.4-1 server Filters in UNSUBSCRIBE are compared character by character; an exact match deletes the subscription, nothing else does.
3.10.4-2 server After UNSUBSCRIBE no new messages are added for the client.
3.10.4-3 server After UNSUBSCRIBE deliveries at QoS 1 and 2 that had begun are completed.
3.10.4-4 server UNSUBSCRIBE is answered with an UNSUBACK that carries its identifier.
3.10.4-5 server UNSUBACK comes even where nothing was deleted.
3.10.4-6 server Several filters in one UNSUBSCRIBE are handled like several UNSUBSCRIBEs with one UNSUBACK.
3.12.4-1 server PINGREQ is answered with PINGRESP.
3.14.1-1 server A DISCONNECT whose reserved bits are not zero disconnects the client.
3.14.4-1 client After DISCONNECT the client closes the connection.
3.14.4-2 client After DISCONNECT the client sends nothing more.
3.14.4-3 server DISCONNECT discards the will without publishing it.
4.1.0-1 both Session state is stored for the whole duration of the session.
4.1.0-2 both A session lasts at least as long as its connection.
4.3.1-1 both QoS 0 is sent as PUBLISH with QoS 0 and DUP 0.
4.3.2-1 both QoS 1 sender: an unused identifier, QoS 1 and DUP 0, unacknowledged until PUBACK.
4.3.2-2 both QoS 1 receiver: PUBACK once it owns the message; after that the identifier means a new message, whatever DUP says.
4.3.3-1 both QoS 2 sender: an unused identifier, QoS 2 and DUP 0, PUBREL after PUBREC, unacknowledged until PUBCOMP, no PUBLISH after PUBREL.
4.3.3-2 both QoS 2 receiver: PUBREC once it owns the message, PUBREC again and no second delivery until PUBREL, then PUBCOMP, then a new message.
4.4.0-1 both On a reconnect with Clean Session 0 unacknowledged PUBLISH and PUBREL are sent again under their identifiers.
4.5.0-1 server A message is added to the session of every client with a matching subscription.
4.5.0-2 client A client acknowledges every PUBLISH, whether or not it uses the message.
4.6.0-1 both PUBLISH packets are sent again in their original order.
4.6.0-2 client PUBACK packets are sent in the order in which the messages came.
4.6.0-3 client PUBREC packets are sent in the order in which the messages came.
4.6.0-4 client PUBREL packets are sent in the order in which the PUBREC packets came.
4.6.0-5 server Every topic is an ordered topic unless configured otherwise.
4.6.0-6 server Messages of one client reach a subscriber, per topic and QoS, in the order in which they were received.
4.7.1-1 both Wildcards stand in filters, never in topic names.
4.7.1-2 both The multi-level wildcard stands alone or after a separator, and is the last character.
4.7.1-3 both The single-level wildcard takes up a whole level.
4.7.2-1 server Filters that begin with a wildcard do not match topic names that begin with $.
4.7.3-1 both Topic names and filters have at least one character.
4.7.3-2 both Topic names and filters do not contain U+0000.
4.7.3-3 both Topic names and filters have at most 65,535 bytes.
4.7.3-4 server Matching does not normalize or replace characters.
4.8.0-1 both A protocol violation closes the connection on which it came.
4.8.0-2 both A transient error while a packet is processed closes the connection on which it came.
6.0.0-1 both Over WebSocket packets travel in binary frames; another data frame closes the connection.
6.0.0-2 both A WebSocket frame may hold several packets or parts of one; frame boundaries mean nothing.
6.0.0-3 client The client offers the WebSocket subprotocol mqtt.
6.0.0-4 server The WebSocket subprotocol that the server selects is mqtt.
7.0.0-1 server A server that also connects to other servers conforms as a client, too.
7.0.0-2 both Nothing outside the specification is needed to work with another conforming implementation.
7.1.1-1 server At least one transport is an ordered, lossless stream of bytes in both directions.
7.1.2-1 client At least one transport is an ordered, lossless stream of bytes in both directions.
`)
