/** Whether Atlas sees a source in a block: never, only over a peering or a private endpoint, or like any other. */
export type Reach = 'never' | 'peering' | 'global';

/**
 * IANA's special-purpose registries (iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry),
 * followed in each family by what other registries of IANA reserve. ipaddr.js knows some of these blocks, but not
 * which are globally reachable. A block inside another one is listed only where it differs.
 */
export const SPECIAL_PURPOSE: readonly (readonly [cidr: string, reach: Reach, name: string, rfc: string])[] =
  [
    ['0.0.0.0/8', 'never', 'this network', 'RFC 791'],
    ['10.0.0.0/8', 'peering', 'private', 'RFC 1918'],
    ['100.64.0.0/10', 'peering', 'carrier-grade NAT', 'RFC 6598'],
    ['127.0.0.0/8', 'never', 'loopback', 'RFC 1122'],
    ['169.254.0.0/16', 'never', 'link-local', 'RFC 3927'],
    ['172.16.0.0/12', 'peering', 'private', 'RFC 1918'],
    ['192.0.0.0/24', 'never', 'IETF protocols', 'RFC 6890'],
    ['192.0.0.9/32', 'global', 'Port Control Protocol', 'RFC 7723'],
    ['192.0.0.10/32', 'global', 'TURN', 'RFC 8155'],
    ['192.0.2.0/24', 'never', 'documentation', 'RFC 5737'],
    ['192.31.196.0/24', 'global', 'AS112', 'RFC 7535'],
    ['192.52.193.0/24', 'global', 'AMT', 'RFC 7450'],
    ['192.88.99.0/24', 'never', 'deprecated 6to4 relays', 'RFC 7526'],
    ['192.168.0.0/16', 'peering', 'private', 'RFC 1918'],
    ['192.175.48.0/24', 'global', 'AS112', 'RFC 7534'],
    ['198.18.0.0/15', 'never', 'benchmarks', 'RFC 2544'],
    ['198.51.100.0/24', 'never', 'documentation', 'RFC 5737'],
    ['203.0.113.0/24', 'never', 'documentation', 'RFC 5737'],
    ['255.255.255.255/32', 'never', 'broadcast', 'RFC 919'],
    ['240.0.0.0/4', 'never', 'reserved', 'RFC 1112'],
    ['224.0.0.0/4', 'never', 'multicast', 'RFC 5771'],

    ['::/128', 'never', 'unspecified', 'RFC 4291'],
    ['::1/128', 'never', 'loopback', 'RFC 4291'],
    ['::ffff:0:0/96', 'never', 'IPv4-mapped', 'RFC 4291'],
    ['64:ff9b::/96', 'global', 'IPv4 translation', 'RFC 6052'],
    ['64:ff9b:1::/48', 'never', 'local IPv4 translation', 'RFC 8215'],
    ['100::/64', 'never', 'discarded', 'RFC 6666'],
    ['100:0:0:1::/64', 'never', 'dummy prefix', 'RFC 9780'],
    ['2001::/32', 'never', 'Teredo', 'RFC 4380'],
    ['2001::/23', 'never', 'IETF protocols', 'RFC 2928'],
    ['2001:1::1/128', 'global', 'Port Control Protocol', 'RFC 7723'],
    ['2001:1::2/128', 'global', 'TURN', 'RFC 8155'],
    ['2001:1::3/128', 'global', 'DNS-SD', 'RFC 9665'],
    ['2001:3::/32', 'global', 'AMT', 'RFC 7450'],
    ['2001:4:112::/48', 'global', 'AS112', 'RFC 7535'],
    ['2001:20::/28', 'global', 'ORCHIDv2', 'RFC 7343'],
    ['2001:30::/28', 'global', 'Drone Remote ID', 'RFC 9374'],
    ['2001:db8::/32', 'never', 'documentation', 'RFC 3849'],
    ['2002::/16', 'never', '6to4', 'RFC 3056'],
    ['2620:4f:8000::/48', 'global', 'AS112', 'RFC 7534'],
    ['3fff::/20', 'never', 'documentation', 'RFC 9637'],
    ['5f00::/16', 'never', 'segment routing', 'RFC 9602'],
    ['fc00::/7', 'peering', 'unique local', 'RFC 4193'],
    ['fe80::/10', 'never', 'link-local', 'RFC 4291'],
    ['::/96', 'never', 'deprecated IPv4-compatible', 'RFC 4291'],
    ['fec0::/10', 'never', 'deprecated site-local', 'RFC 3879'],
    ['ff00::/8', 'never', 'multicast', 'RFC 4291'],
  ];
