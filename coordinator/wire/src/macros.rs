//! A message or record is declared once; struct, codec and least length follow from it.

/// Fields in the order of the wire.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $crate::codec::Field for $name {
            const LEAST: usize = 0 $(+ <$type as $crate::codec::Field>::LEAST)*;

            #[allow(unused_variables)]
            fn put(&self, out: &mut $crate::codec::Writer) {
                $($crate::codec::Field::put(&self.$field, out);)*
            }

            #[allow(unused_variables)]
            fn take(
                from: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::Malformed> {
                Ok(Self { $($field: $crate::codec::Field::take(from)?,)* })
            }

            fn fits(&self) -> bool {
                true $(&& $crate::codec::Field::fits(&self.$field))*
            }
        }

        #[cfg(feature = "samples")]
        impl $crate::samples::Sample for $name {
            #[allow(unused_variables)]
            fn sample(dice: &mut $crate::samples::Dice<'_>) -> Self {
                Self { $($field: $crate::samples::Sample::sample(dice),)* }
            }

            fn shape() -> String {
                let fields: &[String] = &[$(<$type as $crate::samples::Sample>::shape()),*];
                fields.join("; ")
            }
        }
    };
}

/// A record that is a whole body.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident = $kind:literal { $($fields:tt)* }) => {
        $crate::macros::record! { $(#[$doc])* $name { $($fields)* } }

        impl $name {
            pub const KIND: $crate::header::Kind = $crate::header::Kind($kind);
        }

        impl $crate::codec::Body for $name {
            fn put_body(&self, out: &mut $crate::codec::Writer) {
                $crate::codec::Field::put(self, out);
            }

            fn take_body(
                from: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::Malformed> {
                $crate::codec::Field::take(from)
            }
        }
    };
}

pub(crate) use {message, record};
