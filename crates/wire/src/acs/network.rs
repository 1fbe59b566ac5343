//! The network interface of an `awsvpc` task: the control plane has chosen its addresses.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ElasticNetworkInterface {
    /// `eni-…`
    pub ec2_id: String,
    /// `0a:1b:…`, lower case.
    pub mac_address: String,
    /// At least one unless the interface is IPv6 only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv4_addresses: Vec<Ipv4Address>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv6_addresses: Vec<Ipv6Address>,
    /// The gateway with the subnet's prefix length: `172.30.0.1/16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_gateway_ipv4_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_gateway_ipv6_address: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domain_name_servers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domain_name: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_name: Option<String>,
    /// `default` or `vlan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface_association_protocol: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface_vlan_properties: Option<InterfaceVlanProperties>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ipv4Address {
    pub private_address: String,
    #[serde(default)]
    pub primary: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ipv6Address {
    pub address: String,
    #[serde(default)]
    pub primary: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceVlanProperties {
    pub vlan_id: String,
    pub trunk_interface_mac_address: String,
}

impl ElasticNetworkInterface {
    /// The address marked primary, else the first.
    pub fn primary_ipv4(&self) -> Option<&str> {
        let marked = self.ipv4_addresses.iter().find(|a| a.primary);
        marked.or(self.ipv4_addresses.first()).map(|a| a.private_address.as_str())
    }
}
