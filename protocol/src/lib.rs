//! What crosses Tutti's wire: framings, the project index, ids, roles and path rules.
